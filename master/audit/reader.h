// AuditReader: the audit log as those read it who ask what happened, and as those who ask whether it was changed.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/base/error.h"
#include "master/audit/chain.h"
#include "master/audit/event.h"
#include "master/audit/query.h"
#include "master/audit/segments.h"

namespace wherry::audit {

/// Events in order of their sequences. The next page is `after` the last one's, or with `newest` `before` the first's.
class AuditPage {
 public:
  static constexpr std::size_t kMaxBytes = std::size_t{4} << 20;  ///< passed by one event at most

  std::vector<AuditRecord> records;
  bool more = false;  ///< there are more of them

 private:
  friend class AuditReader;
  /// False when it has no room for one more.
  bool add(AuditRecord&& record, const AuditQuery& query);

  std::size_t bytes_ = 0;
};

/// What a verification found.
class AuditVerdict {
 public:
  struct Fault {
    std::string file;
    std::uint64_t line = 0;
    std::string what;
    /// "FILE:LINE: what"
    std::string to_string() const;
  };

  std::optional<Fault> fault;  ///< the first place that does not fit; what is below tells of all before it
  std::uint64_t first = 0;     ///< the sequence that the log begins with: above 1 when old files were removed
  std::uint64_t last = 0;
  std::uint64_t files = 0;
  std::string last_hash;  ///< of the last line: who keeps it elsewhere sees later that nothing before it changed
  std::uint64_t unfinished_bytes = 0;  ///< behind it: a line that is just being written, or that a crash broke off

  std::uint64_t events() const { return first == 0 ? 0 : last - first + 1; }
};

/// Reads the files of a folder, also while an AuditLog writes them: it sees what was there when the call began. Holds
/// no state; calls block: on a loop, go through a pool. Cost: the bytes of the files that `after` and `before` leave,
/// for other conditions are looked for line by line: 250 MB/s for lines that do not fit, 13 us for
/// each event that does.
/// Errors: kNotFound when there is no such folder; kCorrupt, naming file and line, for a line that is no event; kIo.
class AuditReader {
 public:
  explicit AuditReader(std::string folder) : folder_(std::move(folder)) {}

  Result<AuditPage> read(const AuditQuery& query) const;
  /// Calls `visit` with each event that fits, in order, until it gives false; `limit` and `newest` are not looked at.
  Result<void> walk(const AuditQuery& query, const std::function<bool(AuditRecord&& record)>& visit) const;
  /// Recomputes the chain. Not found by it: lines that were removed from the end (see last_hash), and old files that
  /// were removed from the front (see first).
  Result<AuditVerdict> verify() const;

 private:
  using Visitor = std::function<bool(AuditRecord&&)>;
  /// False when `visit` has had enough.
  static Result<bool> walk_file(const Segment& segment, const AuditQuery& query, const Visitor& visit);
  Result<std::vector<Segment>> segments_of(const AuditQuery& query) const;
  Result<AuditPage> read_newest(const AuditQuery& query) const;
  /// From its end to its begin, into a page that is the wrong way round. False when that has no room.
  static Result<bool> newest_of_file(const Segment& segment, const AuditQuery& query, AuditPage& page);
  /// False when the file was removed meanwhile, as the oldest.
  static Result<bool> verify_file(const Segment& segment, bool newest, Chain& chain, AuditVerdict& verdict);

  std::string folder_;
};

}  // namespace wherry::audit
