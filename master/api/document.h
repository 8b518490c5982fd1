// Document: a JSON object read member by member, where every error names the member.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "master/api/call.h"

namespace wherry::api {

/// One object of a document. What is absent, or null, leaves the target as it is; finish() refuses what nobody read.
/// Errors: kInvalid, with the member's place as `field`.
class Document {
 public:
  /// `place` is where it stands, for messages: "" or "filters".
  Document(const Json& object, std::string place) : object_(object), place_(std::move(place)) {}

  Result<void> read(const std::string& key, std::string& into);
  Result<void> read(const std::string& key, bool& into);
  Result<void> read(const std::string& key, std::int64_t least, std::int64_t most, std::int64_t& into);
  /// A list of texts, or one alone.
  Result<void> read(const std::string& key, std::vector<std::string>& into);
  Result<void> read(const std::string& key, std::map<std::string, std::string>& into);
  /// An object within this one; an empty one when it is absent.
  Result<Document> object(const std::string& key);
  /// A list of objects.
  Result<std::vector<Document>> objects(const std::string& key);
  Result<void> finish() const;
  Error wrong(const std::string& key, const std::string& why) const;

 private:
  const Json* find(const std::string& key);
  std::string place_of(const std::string& key) const { return place_.empty() ? key : place_ + "." + key; }

  const Json& object_;
  std::string place_;
  std::set<std::string> known_;
};

/// The document of a call, which must be an object. It lives as long as the call.
Result<Document> document_of(const Call& call);

}  // namespace wherry::api
