// SHA-256 of bytes that are in memory.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace wherry {

using Sha256 = std::array<std::byte, 32>;

/// The hash of `first` and then `second`. 0.2 us and what the bytes cost: OpenSSL's SHA256() looks its algorithm up by
/// name, under a lock, for each call. Source: FIPS 180-4.
Sha256 sha256(std::string_view first, std::string_view second = {});

}  // namespace wherry
