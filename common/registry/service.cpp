#include "common/registry/service.h"

#include <algorithm>
#include <optional>

#include "common/base/bytes.h"
#include "common/base/json.h"
#include "common/base/log.h"
#include "common/http/uri.h"
#include "common/oci/error_body.h"
#include "common/oci/media_types.h"
#include "common/oci/referrers_index.h"
#include "common/registry/rights.h"
#include "common/registry/visible_names.h"

namespace wherry::registry {
namespace {

constexpr std::string_view kJson = "application/json";
constexpr const char* kCutHelp = "Answers that broke off: the client left, or what the bytes came from failed";

constexpr RequestKinds kKinds{
    {"other", "ping", "catalog", "tags", "manifest", "blob", "referrers", "uploads", "upload", "manifests"}};

/// True when an If-None-Match header names this entity tag. Source: RFC 9110 13.1.2 (weak comparison).
bool matches(std::string_view if_none_match, std::string_view etag) {
  if (if_none_match == "*") return true;
  while (!if_none_match.empty()) {
    const auto comma = if_none_match.find(',');
    auto tag = if_none_match.substr(0, comma);
    while (!tag.empty() && tag.front() == ' ') tag.remove_prefix(1);
    while (!tag.empty() && tag.back() == ' ') tag.remove_suffix(1);
    if (tag.starts_with("W/")) tag.remove_prefix(2);
    if (tag == etag) return true;
    if (comma == std::string_view::npos) return false;
    if_none_match.remove_prefix(comma + 1);
  }
  return false;
}

std::string etag_of(const Digest& digest) {
  std::string etag;
  etag.reserve(2 + 7 + 2 * 64);
  etag.push_back('"');
  digest.append_to(etag);
  etag.push_back('"');
  return etag;
}

http::Response with_digest(int status, std::string_view etag) {
  auto response = v2_response(status);
  response.header("Docker-Content-Digest", etag.substr(1, etag.size() - 2));
  response.header("ETag", etag);
  return response;
}

/// The page size that a query asks for: `n`, at most kMaxPage, which is also what no `n` means.
Result<std::size_t> page_size(std::string_view query) {
  const auto text = http::query_value(query, "n");
  if (!text) return kMaxPage;
  const auto number = parse_decimal(*text, INT32_MAX);
  if (!number) return Error(ErrorKind::kInvalid, "n={} is not a number of entries", *text);
  return std::min<std::size_t>(static_cast<std::size_t>(*number), kMaxPage);
}

void append_names(std::string& out, const std::vector<std::string>& names) {
  out.push_back('[');
  for (const std::string& name : names) {
    if (out.back() != '[') out.push_back(',');
    append_json_string(out, name);
  }
  out.push_back(']');
}

/// Says that an answer may be out of date. Source: RFC 7234 5.5.1.
void add_warning(http::Response& response, const std::string& warning) {
  if (!warning.empty()) response.header("Warning", "110 - \"" + warning + "\"");
}

/// Says when the answer was last known to be right. Source: RFC 9111 5.1.
void add_age(http::Response& response, const std::optional<std::chrono::seconds>& age) {
  if (age) response.header("Age", std::to_string(age->count()));
}

/// Says as of which position of the feed the answer is right.
void add_position(http::Response& response, const std::optional<std::uint64_t>& position) {
  if (position) response.header("Wherry-Position", std::to_string(*position));
}

std::string next_link(std::string_view path, std::size_t limit, std::string_view last, std::string_view more = {}) {
  return fmt::format("<{}?n={}&last={}{}>; rel=\"next\"", path, limit, http::percent_encode(last), more);
}

}  // namespace

http::Response v2_response(int status) {
  http::Response response(status);
  response.header("Docker-Distribution-Api-Version", "registry/2.0");
  return response;
}

http::Response method_not_allowed(std::string_view allow, std::string message) {
  auto response = v2_response(405);
  response.header("Allow", allow);
  response.body(kJson, error_body(Error(ErrorKind::kUnsupported, std::move(message))));
  return response;
}

RegistryService::RegistryService(Catalog& catalog, Blobs& blobs, auth::Gate& gate, Metrics& metrics)
    : catalog_(catalog),
      blobs_(blobs),
      gate_(gate),
      metrics_(metrics),
      cut_by_client_(metrics.counter("wherry_http_cut_answers_total", kCutHelp, "by", "client")),
      cut_by_source_(metrics.counter("wherry_http_cut_answers_total", kCutHelp, "by", "source")) {
  metrics_.name_requests(kKinds);
}

Task<Result<void>> RegistryService::handle(http::Exchange& exchange) {
  auto route = parse_route(exchange.request().path);
  if (!route) co_return route.error();
  if (!http::is_well_escaped(exchange.request().query))
    co_return Error(ErrorKind::kInvalid, "the query holds a percent sign that begins no escape");
  exchange.set_label(static_cast<std::uint8_t>(route->endpoint));
  if (route->repository) {
    auto placed = place(*route, exchange.request());
    if (!placed) co_return placed.error();
  }
  if (auto known = gate_.try_admit(exchange)) {
    if (!*known) co_return co_await refuse_visitor(exchange, *route, known->error());
    co_return co_await answer(exchange, *route, **known);
  }
  auto visitor = co_await gate_.admit(exchange);
  if (!visitor) co_return co_await refuse_visitor(exchange, *route, visitor.error());
  co_return co_await answer(exchange, *route, *visitor);
}

Task<Result<void>> RegistryService::answer(http::Exchange& exchange, const Route& route, const auth::Visitor& visitor) {
  if (auto refusal = refuse(gate_, exchange.request(), route, visitor, extra_rights(route, visitor))) {
    refused(exchange, route, visitor);
    co_return co_await exchange.send(std::move(*refusal));
  }
  const std::string_view method = exchange.request().method;
  const bool session = route.endpoint == Endpoint::kUploads || route.endpoint == Endpoint::kUpload;
  if (session || (method != "GET" && method != "HEAD")) co_return co_await handle_write(exchange, route, visitor);
  co_return co_await pull(exchange, route, visitor);
}

Result<void> RegistryService::still_may(const Route& route, const auth::Visitor& visitor, auth::Permission permission) {
  auto now = gate_.renewed(visitor);
  if (!now) return Error(ErrorKind::kDenied, "{}", now.error().message());
  if (now->may(permission, route.repository->text()) == auth::Visitor::May::kYes) return {};
  return denied(*now, permission, route.repository->text());
}

Task<Result<void>> RegistryService::refuse_visitor(http::Exchange& exchange, const Route& route, const Error& why) {
  if (why.kind() != ErrorKind::kUnauthorized) co_return why;
  const http::Request& request = exchange.request();
  auto refused = unauthorized(gate_, request, why, scope_of(route, request.method), "invalid_token");
  co_return co_await exchange.send(std::move(refused));
}

http::Response RegistryService::render(const Error& error) const {
  const auto status = http_status(error.kind());
  if (status >= 500 && error.kind() != ErrorKind::kUnavailable)
    log::warn("a request failed", {{"error", error.to_string()}, {"status", std::to_string(status)}});
  auto response = v2_response(status);
  if (error.retry_after())
    response.header("Retry-After", std::to_string(error.retry_after()->count()));
  else if (status == 503 || status == 507)
    response.header("Retry-After", "1");
  response.body(kJson, error_body(error, Traffic::kPush));  // a pull's bad range never comes here
  return response;
}

void RegistryService::finished(const http::Exchange& exchange, Duration took) {
  metrics_.count_request({.kind = exchange.label(),
                          .status = exchange.status(),
                          .sent_bytes = exchange.sent_bytes(),
                          .took = took,
                          .first_byte = exchange.first_byte_time(),
                          .source = exchange.context().source});
  if (exchange.cut() == http::Exchange::Cut::kByClient) cut_by_client_.add();
  if (exchange.cut() == http::Exchange::Cut::kBySource) cut_by_source_.add();
}

Task<Result<void>> RegistryService::pull(http::Exchange& exchange, const Route& route, const auth::Visitor& visitor) {
  switch (route.endpoint) {
    case Endpoint::kPing: {
      auto response = v2_response(200);
      response.body(kJson, "{}");
      co_return co_await exchange.send(std::move(response));
    }
    case Endpoint::kManifest: co_return co_await pull_manifest(exchange, route);
    case Endpoint::kBlob: co_return co_await pull_blob(exchange, route);
    case Endpoint::kTags: co_return co_await list_tags(exchange, route);
    case Endpoint::kCatalog: co_return co_await list_repositories(exchange, visitor);
    case Endpoint::kReferrers: co_return co_await list_referrers(exchange, route);
    case Endpoint::kManifests: co_return co_await list_manifests(exchange, route);
    default: break;
  }
  co_return Error(ErrorKind::kNotFound, "there is nothing at this path");
}

Task<Result<void>> RegistryService::pull_manifest(http::Exchange& exchange, const Route& route) {
  auto reference = Reference::parse(route.last);
  if (!reference) co_return reference.error();
  auto manifest = co_await catalog_.manifest(*route.repository, *reference);
  if (!manifest) co_return manifest.error();
  // A node that follows the feed has to know what it was told ahead of it.
  if (reference->tag() != nullptr && !manifest->position() && exchange.request().has_header(kFollowsHeader)) {
    auto position = co_await catalog_.position();
    if (!position) co_return position.error();
    manifest->set_position(*position);
  }
  const std::string etag = etag_of(manifest->digest());
  const bool unchanged = matches(exchange.request().header("if-none-match"), etag);
  auto response = with_digest(unchanged ? 304 : 200, etag);
  add_warning(response, manifest->warning());
  add_age(response, manifest->age());
  add_position(response, manifest->position());
  if (!unchanged) response.body(manifest->media_type(), manifest->bytes(), manifest->row());
  co_return co_await exchange.send(std::move(response));
}

Task<Result<void>> RegistryService::pull_blob(http::Exchange& exchange, const Route& route) {
  const http::Request& request = exchange.request();
  auto digest = Digest::parse(route.last);
  if (!digest) co_return digest.error();
  const std::string etag = etag_of(*digest);
  if (request.is_head() || request.has_header("if-none-match")) {
    auto size = co_await blobs_.size(*route.repository, *digest);
    if (!size) co_return size.error();
    const bool unchanged = matches(request.header("if-none-match"), etag);
    if (unchanged || request.is_head()) {
      auto response = with_digest(unchanged ? 304 : 200, etag);
      response.header("Accept-Ranges", "bytes").header("Content-Type", media_type::kBlobBytes).length(*size);
      co_return co_await exchange.send(std::move(response));
    }
  }
  auto body = co_await blobs_.open(*route.repository, *digest);
  if (!body) co_return body.error();
  if (invitations_ != nullptr && invitations_->would_come(request)) {
    auto place = co_await invitations_->invite(exchange, *route.repository, *digest, *body);
    if (place) {
      auto response = v2_response(303);
      response.header("Location", *place).header("Cache-Control", "no-store");
      co_return co_await exchange.send(std::move(response));
    }
  }
  const auto if_range = request.header("if-range");
  const bool whole = !if_range.empty() && if_range != etag;
  auto fields = with_digest(200, etag);
  co_return co_await exchange.send_file(std::move(fields), **body, media_type::kBlobBytes, whole);
}

Task<Result<void>> RegistryService::list_tags(http::Exchange& exchange, const Route& route) {
  const std::string_view query = exchange.request().query;
  const auto limit = page_size(query);
  if (!limit) co_return limit.error();
  auto last = http::query_value(query, "last").value_or("");
  auto page = co_await catalog_.tags(*route.repository, std::move(last), *limit);
  if (!page) co_return page.error();
  std::string body = "{\"name\":" + json_string(route.asked) + ",\"tags\":";
  append_names(body, page->names());
  body.push_back('}');
  auto response = v2_response(200);
  add_warning(response, page->warning());
  add_age(response, page->age());
  add_position(response, page->position());
  if (page->more() && !page->names().empty())
    response.header("Link", next_link(exchange.request().path, *limit, page->names().back()));
  response.body(kJson, std::move(body));
  co_return co_await exchange.send(std::move(response));
}

Task<Result<void>> RegistryService::list_repositories(http::Exchange& exchange, const auth::Visitor& visitor) {
  const std::string_view query = exchange.request().query;
  const auto limit = page_size(query);
  if (!limit) co_return limit.error();
  auto last = http::query_value(query, "last").value_or("");
  auto page = co_await visible_repositories(catalog_, visitor, std::move(last), *limit);
  if (!page) co_return page.error();
  std::string body = "{\"repositories\":";
  append_names(body, page->names());
  body.push_back('}');
  auto response = v2_response(200);
  add_warning(response, page->warning());
  add_age(response, page->age());
  add_position(response, page->position());
  if (page->more() && !page->names().empty())
    response.header("Link", next_link(exchange.request().path, *limit, page->names().back()));
  response.body(kJson, std::move(body));
  co_return co_await exchange.send(std::move(response));
}

Task<Result<void>> RegistryService::list_referrers(http::Exchange& exchange, const Route& route) {
  auto digest = Digest::parse(route.last);
  if (!digest) co_return digest.error();
  const std::string_view query = exchange.request().query;
  const auto limit = page_size(query);
  if (!limit) co_return limit.error();
  const std::string artifact_type = http::query_value(query, "artifactType").value_or("");
  auto last = http::query_value(query, "last").value_or("");
  auto page = co_await catalog_.referrers(*route.repository, *digest, artifact_type, std::move(last), *limit);
  if (!page) co_return page.error();
  auto response = v2_response(200);
  add_warning(response, page->warning());
  std::string filter;
  if (!artifact_type.empty()) {
    response.header("OCI-Filters-Applied", "artifactType");
    filter = "&artifactType=" + http::percent_encode(artifact_type);
  }
  if (!page->last().empty()) response.header("Link", next_link(exchange.request().path, *limit, page->last(), filter));
  response.body(media_type::kOciIndex, referrers_index(page->descriptors()));
  co_return co_await exchange.send(std::move(response));
}

/// An extension: `?untagged=true` for those that nothing leads to, `digest=` for that one alone, if it is among them.
Task<Result<void>> RegistryService::list_manifests(http::Exchange& exchange, const Route& route) {
  const std::string_view query = exchange.request().query;
  const auto limit = page_size(query);
  if (!limit) co_return limit.error();
  ManifestQuery wanted;
  wanted.limit = *limit;
  wanted.last = http::query_value(query, "last").value_or("");
  const std::string untagged = http::query_value(query, "untagged").value_or("false");
  if (untagged != "true" && untagged != "false")
    co_return Error(ErrorKind::kInvalid, "untagged={} is neither true nor false", untagged);
  wanted.untagged = untagged == "true";
  if (const auto text = http::query_value(query, "digest")) {
    auto digest = Digest::parse(*text);
    if (!digest) co_return digest.error();
    wanted.only = *digest;
  }
  auto page = co_await catalog_.manifests(*route.repository, wanted);
  if (!page) co_return page.error();
  std::vector<std::string> names;
  for (const Digest& digest : page->digests()) names.push_back(digest.to_string());
  std::string body = "{\"name\":" + json_string(route.asked) + ",\"manifests\":";
  append_names(body, names);
  body.push_back('}');
  auto response = v2_response(200);
  if (!page->last().empty())
    response.header("Link",
                    next_link(exchange.request().path, *limit, page->last(), wanted.untagged ? "&untagged=true" : ""));
  response.body(kManifestListType, std::move(body));
  co_return co_await exchange.send(std::move(response));
}

}  // namespace wherry::registry
