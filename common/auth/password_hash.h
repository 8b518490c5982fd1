// Passwords, hashed so that trying them costs memory and time.
#pragma once

#include <string>
#include <string_view>

#include "common/base/error.h"

namespace wherry::auth {

/// A salted scrypt hash in its text form, "$scrypt$ln=15,r=8,p=1$SALT$HASH". About 80 ms and 32 MiB: on a pool, never
/// on a loop. Source: RFC 7914; the PHC string format.
std::string hash_password(std::string_view password);

/// True when that password has that hash. Costs what the hash says, within the bounds that hash_password() writes; a
/// hash that cannot be read costs as much and fits nothing. Compared in constant time.
bool password_fits(std::string_view password, std::string_view hash);

/// For a login name that nobody has: costs what checking a password does, so that names cannot be told apart by time.
void check_nothing(std::string_view password);

inline constexpr std::size_t kLeastPasswordBytes = 8;
inline constexpr std::size_t kMostPasswordBytes = 256;
/// Errors: kInvalid for one that is too short or long, is all one character, or holds control characters.
Result<void> check_new_password(std::string_view password, std::string_view login);

/// 160 random bits in letters that people can copy, for what is shown once.
std::string random_password();
/// 256 random bits: secrets of robots, refresh tokens. What is kept of one is its secret_hash_of().
std::string random_secret();
/// Compared in constant time, as far as both are of one length, which is no secret. Nothing else compares what somebody
/// shows with what it has to be: passwords' hashes, secrets, proofs, states.
bool equal_secrets(std::string_view one, std::string_view other);

}  // namespace wherry::auth
