#include "common/http/problem.h"

#include "common/base/json.h"

namespace wherry::http {

Response problem(int status, std::string_view title, std::string_view detail) {
  Response response(status);
  response.body("application/problem+json", "{\"status\":" + std::to_string(status) + ",\"title\":" +
                                                json_string(title) + ",\"detail\":" + json_string(detail) + "}\n");
  return response;
}

}  // namespace wherry::http
