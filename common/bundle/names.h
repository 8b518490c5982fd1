// Names: what the records of a bundle, taken together, say of repositories, tags and manifests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "common/base/error.h"
#include "common/feed/record.h"
#include "common/feed/signature.h"
#include "common/oci/digest.h"
#include "common/oci/reference.h"

namespace wherry::bundle {

/// Of a snapshot: all names there are at its end. Of a stretch of the feed: those that it made, moved or removed, as
/// they are at its end. Believes everything: who verifies the records looks at the same bytes. O(names) memory.
class Names {
 public:
  /// Of repositories, tags and manifests together.
  static constexpr std::size_t kMost = 4'000'000;

  struct Repository {
    std::map<Digest, bool> manifests;                   ///< true: there; false: deleted
    std::map<std::string, std::optional<Digest>> tags;  ///< nothing: removed
  };
  using Repositories = std::map<RepositoryName, Repository>;

  /// The next bytes of the records. Errors: kInvalid for what are none, kTooLarge over kMost.
  Result<void> take(std::string_view piece);
  Result<void> take(const feed::Record& record);
  /// After the last: a manifest that a tag was set to belongs to it, whenever it was put.
  void finish();

  const Repositories& repositories() const { return repositories_; }
  /// Whether a manifest is there in any repository.
  bool has(const Digest& manifest) const { return there_.contains(manifest); }
  /// The newest signed head that was seen.
  const std::optional<feed::Head>& last_head() const { return last_head_; }
  /// The position of the first entry that is there itself; 0 when there is none.
  std::uint64_t first_entry() const { return first_entry_; }
  /// Entries that this reader may not see are among them.
  bool has_hidden() const { return has_hidden_; }

 private:
  Repository* in(std::string_view repository);
  Result<void> take_entry(std::string_view payload);
  void take_row(std::string_view payload);

  feed::RecordReader reader_;
  Repositories repositories_;
  std::set<Digest> there_;
  std::optional<feed::Head> last_head_;
  std::uint64_t first_entry_ = 0;
  std::size_t count_ = 0;
  bool has_hidden_ = false;
};

}  // namespace wherry::bundle
