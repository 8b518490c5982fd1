// Importer: the names of another master become this one's, by a bundle that was carried here.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/bundle/content.h"
#include "common/feed/signature.h"
#include "common/registry/storage.h"

namespace wherry::master {

/// Of a master that does not run. This master is an authority of its own: what a bundle says becomes entries of its own
/// feed. A whole bundle adds names and moves tags; one that begins at a position also removes what was removed there.
/// Names that only this master has stay. For each source (by the key that it was first known by) is written down how
/// far it was taken. Nothing that is served changes before all of the bundle was looked at; after a crash the same
/// import goes on. On one loop.
class Importer {
 public:
  static constexpr std::size_t kChangesAtOnce = 1000;  ///< in one transaction

  /// `key`: 64 hexadecimal digits of the source's key; empty: the one that is known, or that of the first contact.
  Importer(registry::Storage& storage, Pool& disk, std::string key)
      : storage_(storage), disk_(disk), key_(std::move(key)) {}

  /// Gives a line that says what is new. Errors: kInvalid for a bundle that is not believed or does not fit here,
  /// kUnsupported when it must be said which of several sources it is from, kNotFound, kNoSpace, kIo.
  Task<Result<std::string>> run(const std::string& file);

 private:
  struct Step {
    enum class Kind { kSetTag, kRemove };
    Kind kind;
    RepositoryName repository;
    std::string tag;               ///< empty: a manifest is removed
    std::optional<Digest> digest;  ///< what the tag is set to, or that manifest
  };

  Task<Result<void>> find_source();
  Task<Result<void>> take_names(bundle::BundleReader& bundle);
  Task<Result<void>> take_snapshot(bundle::BundleReader& bundle);
  Task<Result<void>> take_feed(bundle::BundleReader& bundle);
  Result<void> note_place(const feed::Head& head);
  Task<Result<bool>> is_wanted(const RepositoryName& repository, const Digest& manifest);
  Task<Result<void>> keep_content(bundle::Content& content);
  Task<Result<void>> put_names(const bundle::Names& names, bool whole);
  Result<bool> take_step(kv::Transaction& transaction, const Step& step, WallTime now);
  Task<Result<void>> drop_staged();

  registry::Storage& storage_;
  Pool& disk_;
  const std::string key_;
  feed::TrustedKeys keys_;
  std::string source_;  // the raw key that this source is known by; empty before the first contact
  feed::Head at_;       // how far it was taken
  feed::Head now_;      // how far the bundle goes
  bool newer_ = false;
  std::uint64_t tags_ = 0;     // that were set
  std::uint64_t removed_ = 0;  // tags and manifests
};

}  // namespace wherry::master
