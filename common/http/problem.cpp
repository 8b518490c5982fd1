#include "common/http/problem.h"

#include "common/base/json.h"
#include "common/oci/error_body.h"

namespace wherry::http {

Response problem(int status, std::string_view title, std::string_view detail) {
  Response response(status);
  response.body("application/problem+json", "{\"status\":" + std::to_string(status) + ",\"title\":" +
                                                json_string(title) + ",\"detail\":" + json_string(detail) + "}\n");
  return response;
}

Response problem_of(const Error& error) {
  return problem(http_status(error.kind()), error_code(error.kind()), told_message(error));
}

}  // namespace wherry::http
