// PushService: the master's /v2/: the pull side, and all that changes something.
#pragma once

#include <vector>

#include "common/registry/name_store.h"
#include "common/registry/service.h"
#include "common/registry/storage.h"
#include "common/store/blob_writer.h"
#include "master/audit/audit_log.h"
#include "master/registry/upload_sessions.h"

namespace wherry::master {

/// Pushes: uploads (uploads.cpp) and manifests (manifests.cpp). What is answered with 201 or 202 is on the disk. What
/// names something, takes it away, or was refused is told to `audit` (null: to nobody), which outlives this.
class PushService final : public registry::RegistryService {
 public:
  PushService(registry::Storage& storage, registry::NameStore& names, registry::Blobs& blobs, UploadSessions& sessions,
              auth::Gate& gate, audit::AuditLog* audit, Metrics& metrics)
      : RegistryService(names, blobs, gate, metrics),
        storage_(storage),
        names_(names),
        sessions_(sessions),
        audit_(audit) {}

 protected:
  Task<Result<void>> handle_write(http::Exchange& exchange, const registry::Route& route,
                                  const auth::Visitor& visitor) override;
  void refused(const http::Exchange& exchange, const registry::Route& route, const auth::Visitor& visitor) override;

 private:
  Task<Result<void>> change(http::Exchange& exchange, const registry::Route& route, const auth::Visitor& visitor);
  void note(const http::Exchange& exchange, const registry::Route& route, const auth::Visitor& visitor,
            audit::Outcome outcome, std::string reason);

  // uploads.cpp
  Task<Result<void>> begin_upload(http::Exchange& exchange, const registry::Route& route, const auth::Visitor& visitor);
  Task<Result<void>> take_whole(http::Exchange& exchange, const registry::Route& route, const auth::Visitor& visitor,
                                const Digest& digest);
  Task<Result<void>> mount(http::Exchange& exchange, const registry::Route& route, const auth::Visitor& visitor,
                           const Digest& digest, const std::string& from, bool& mounted);
  Task<Result<void>> append_upload(http::Exchange& exchange, const registry::Route& route,
                                   const auth::Visitor& visitor);
  Task<Result<void>> finish_upload(http::Exchange& exchange, const registry::Route& route,
                                   const auth::Visitor& visitor);
  Task<Result<void>> upload_status(http::Exchange& exchange, const registry::Route& route,
                                   const auth::Visitor& visitor);
  Task<Result<void>> cancel_upload(http::Exchange& exchange, const registry::Route& route,
                                   const auth::Visitor& visitor);
  Task<Result<store::BlobWriter>> writer_of(const UploadSession& session, DigestAlgorithm algorithm);
  Task<Result<store::BlobWriter>> rehash(const UploadSession& session, DigestAlgorithm algorithm);
  Task<void> drop(store::BlobWriter& writer);
  Task<void> give_back(const UploadSession& session, store::BlobWriter& writer);
  Task<Result<void>> receive(http::Exchange& exchange, store::BlobWriter& writer);
  Task<Result<void>> record(store::BlobWriter& writer, const registry::Route& route, const Digest& digest,
                            std::string_view session_id);
  Task<Result<void>> complete(http::Exchange& exchange, const registry::Route& route, store::BlobWriter& writer,
                              const Digest& digest, const UploadSession& session, UploadSessions::Hold& held);
  Task<Result<void>> delete_blob(http::Exchange& exchange, const registry::Route& route);

  // manifests.cpp
  Task<Result<void>> put_manifest(http::Exchange& exchange, const registry::Route& route, const auth::Visitor& visitor);
  Task<Result<void>> delete_manifest(http::Exchange& exchange, const registry::Route& route);

  registry::Storage& storage_;
  registry::NameStore& names_;
  UploadSessions& sessions_;
  audit::AuditLog* const audit_;
};

}  // namespace wherry::master
