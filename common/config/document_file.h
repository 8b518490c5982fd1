// A YAML or JSON file as JSON documents, for what is sent on to a server.
#pragma once

#include <string>
#include <vector>

#include "common/base/error.h"

namespace wherry {

inline constexpr std::size_t kMaxDocumentFileBytes = 1024 * 1024;
inline constexpr std::size_t kMaxDocumentNodes = 50'000;  ///< all aliases followed

/// Each document of the file ("---" between them) as JSON text; "-" is the standard input. Plain words that are
/// numbers, true, false or null are that, quoted ones are texts (YAML 1.2 core schema). Blocks. Errors: kInvalid,
/// naming the file and, where it can, the line.
Result<std::vector<std::string>> read_documents(const std::string& path);

/// The same of a text; `name` is what stands for the file in messages.
Result<std::vector<std::string>> parse_documents(const std::string& text, const std::string& name);

}  // namespace wherry
