#include "common/feed/hash.h"

#include "common/base/bytes.h"

namespace wherry::feed {

Hash hash_of(std::string_view bytes) { return sha256(bytes); }

Hash next_chain(const Hash& previous, const Hash& entry) { return sha256(as_text(previous), as_text(entry)); }

}  // namespace wherry::feed
