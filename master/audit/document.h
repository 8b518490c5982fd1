// AuditDocument: what something was before or after, as it may stand in the audit log: without secrets, and bounded.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace wherry::audit {

/// JSON that has lost its secrets on its way in: there is no way to put one here and keep them. Of each member whose
/// name ends in a word of secrets (password, secret, token, private_key, authorization; in any case, with '-' or
/// without '_', and in the plural) the value is "***", at any depth; and so is what
/// stands before the @ of a URL.
class AuditDocument {
 public:
  static constexpr std::size_t kMaxBytes = 32 * 1024;
  static constexpr std::size_t kMaxDepth = 32;

  /// None.
  AuditDocument() = default;
  /// A document without its secrets; null is none. One over kMaxBytes is {"cut_from_bytes": N, "begin": "..."}, what is
  /// deeper than kMaxDepth is "(too deep)", bytes that are not UTF-8 are replaced. O(n), two copies.
  explicit AuditDocument(const nlohmann::ordered_json& document);

  bool empty() const { return json_.empty(); }
  /// One line of JSON; empty when there is none.
  const std::string& json() const { return json_; }

 private:
  std::string json_;
};

/// Whether the value of a member of this name is one to hide.
bool is_secret_name(std::string_view name);

}  // namespace wherry::audit
