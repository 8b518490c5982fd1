#include "master/audit/commands.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/config/text.h"
#include "common/daemon/daemon.h"
#include "common/oci/excerpt.h"
#include "master/audit/audit_log.h"
#include "master/audit/reader.h"
#include "master/audit/syslog_line.h"

namespace wherry::audit {
namespace {

constexpr std::size_t kCellBytes = 80;

struct CommandOptions {
  std::string data;
  std::string since;
  std::string until;
  std::string actor;
  std::string action;
  std::string target;
  std::uint64_t limit = 100;
  bool json = false;
  std::string format = "json";
};

int failed(std::string_view command, const Error& error) {
  std::fprintf(stderr, "wherry-master audit %s: %s\n", std::string(command).c_str(), error.to_string().c_str());
  return error.kind() == ErrorKind::kInvalid ? kExitUsage : kExitIo;
}

Result<void> read_time(const std::string& flag, const std::string& text, std::optional<WallTime>& into) {
  if (text.empty()) return {};
  into = parse_time(text);
  if (into) return {};
  return Error(ErrorKind::kInvalid, "{}: {} is no time such as 2026-11-24T14:15:58Z or 2026-11-24 (UTC)", flag,
               excerpt(text));
}

Result<AuditQuery> query_of(const CommandOptions& options) {
  AuditQuery query;
  auto read = read_time("--since", options.since, query.since);
  if (read) read = read_time("--until", options.until, query.until);
  if (!read) return read.error();
  query.actor = options.actor;
  query.action = options.action;
  query.target = options.target;
  query.limit = options.limit;
  query.newest = true;
  return query;
}

/// One line of the output; an error when nobody takes it.
Result<void> put_line(std::string_view line) {
  if (std::fwrite(line.data(), 1, line.size(), stdout) == line.size() && std::fputc('\n', stdout) != EOF) return {};
  return system_error(errno, "write the output");
}

std::string table_of(const std::vector<AuditRecord>& records) {
  std::vector<std::vector<std::string>> rows;
  const auto cell = [](std::string_view text) { return printable(text, kCellBytes); };
  for (const AuditRecord& record : records) {
    const AuditEvent& event = record.event;
    rows.push_back({to_rfc3339(*event.time),
                    cell(event.actor.name.empty() ? word_of(event.actor.kind) : event.actor.name), cell(event.action),
                    cell(event.target), std::string(word_of(event.result)), cell(event.remote)});
  }
  return text_table({"TIME", "ACTOR", "ACTION", "TARGET", "RESULT", "FROM"}, rows);
}

/// The last events that fit; a page at a time, for pages are bounded in bytes.
Result<std::vector<AuditRecord>> last_events(const CommandOptions& options) {
  auto query = query_of(options);
  if (!query) return query.error();
  const AuditReader reader(audit_folder(options.data));
  std::vector<AuditRecord> all;
  for (bool more = true; more && all.size() < options.limit;) {
    query->limit = options.limit - all.size();
    auto page = reader.read(*query);
    if (!page) return page.error();
    if (!page->records.empty()) query->before = page->records.front().sequence;
    more = page->more;
    page->records.insert(page->records.end(), std::make_move_iterator(all.begin()), std::make_move_iterator(all.end()));
    all = std::move(page->records);
  }
  return all;
}

int list(const CommandOptions& options) {
  auto records = last_events(options);
  if (!records) return failed("list", records.error());
  Result<void> put;
  if (options.json) {
    for (const AuditRecord& record : *records)
      if (put) put = put_line(record.line);
  } else {
    std::fputs(table_of(*records).c_str(), stdout);
  }
  if (put && std::fflush(stdout) != 0) put = system_error(errno, "write the output");
  return put ? kExitOk : failed("list", put.error());
}

int verify(const CommandOptions& options) {
  auto verdict = AuditReader(audit_folder(options.data)).verify();
  if (!verdict) return failed("verify", verdict.error());
  if (verdict->fault) return failed("verify", Error(ErrorKind::kCorrupt, verdict->fault->to_string()));
  std::string line = fmt::format("{} events", verdict->events());
  if (verdict->events() > 0)
    line += fmt::format(" ({} to {}) in {} file{}, nothing was changed; last hash {}", verdict->first, verdict->last,
                        verdict->files, verdict->files == 1 ? "" : "s", verdict->last_hash);
  if (verdict->unfinished_bytes > 0) line += fmt::format("; {} bytes of an unfinished line", verdict->unfinished_bytes);
  std::printf("%s\n", line.c_str());
  return kExitOk;
}

int export_all(const CommandOptions& options) {
  auto query = query_of(options);
  if (!query) return failed("export", query.error());
  SyslogOrigin origin = SyslogOrigin::here();
  origin.process = "-";  // those who wrote them are gone
  Result<void> put;
  auto walked = AuditReader(audit_folder(options.data)).walk(*query, [&](AuditRecord&& record) {
    put = put_line(options.format == "syslog" ? syslog_line(record, origin) : record.line);
    return put.has_value();
  });
  if (walked && !put) walked = put;
  if (walked && std::fflush(stdout) != 0) walked = system_error(errno, "write the output");
  return walked ? kExitOk : failed("export", walked.error());
}

void add_conditions(Command& command, CommandOptions& options) {
  command.option("--data", options.data, "data directory of the master").required();
  command.option("--since", options.since, "only what happened then or later, e.g. 2026-11-24T14:15:58Z");
  command.option("--until", options.until, "only what happened before then");
  command.option("--actor", options.actor, "only what this user, robot or node did");
  command.option("--action", options.action, "only actions that begin so, e.g. tag.");
  command.option("--target", options.target, "only targets that begin so, e.g. project/team");
}

}  // namespace

void add_audit_commands(Command& program) {
  Command group = program.group("audit", "what was done here, and by whom");
  auto options = std::make_shared<CommandOptions>();
  Command listing = group.command("list", "show the last events", [options] { return list(*options); });
  add_conditions(listing, *options);
  listing.option("--limit", options->limit, "so many of them at most (100)").between(1, AuditQuery::kMaxLimit);
  listing.flag("--json", options->json, "as they stand in the log, a line each");
  Command verifying = group.command("verify", "check that no event was changed, removed or put between others",
                                    [options] { return verify(*options); });
  verifying.option("--data", options->data, "data directory of the master").required();
  Command exporting =
      group.command("export", "write all events to the standard output", [options] { return export_all(*options); });
  add_conditions(exporting, *options);
  exporting.option("--format", options->format, "json (as they stand in the log) or syslog (RFC 5424)")
      .one_of({"json", "syslog"});
}

}  // namespace wherry::audit
