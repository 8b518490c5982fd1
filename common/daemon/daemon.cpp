#include "common/daemon/daemon.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>

#include "common/async/scope.h"
#include "common/async/sleep.h"
#include "common/base/core_files.h"
#include "common/daemon/cores.h"
#include "common/observe/loop_lag.h"

namespace wherry {
namespace {

constexpr std::size_t kDiskThreads = 16;

void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

Daemon::Daemon(std::string name, DaemonOptions options)
    : name_(std::move(name)), options_(std::move(options)), metrics_(name_) {
  if (options_.core_files) allow_core_files();
  log::start(options_.log_level);
  raise_descriptor_limit();
  std::size_t count = options_.loops;
  if (count == 0) count = usable_cores();
  for (std::size_t i = 0; i < count; ++i) {
    loops_.push_back(std::make_unique<Loop>());
    loop_pointers_.push_back(loops_.back().get());
  }
  disk_ = std::make_unique<Pool>("disk", kDiskThreads);
}

Daemon::~Daemon() {
  disk_.reset();
  loops_.clear();
  log::stop();
}

void Daemon::die(const Error& error) {
  log::error("the disk failed; nothing more is acknowledged and the process ends", {{"error", error.to_string()}});
  log::stop();
  ::_exit(kExitIo);
}

int Daemon::run(Role& role) {
#ifdef WHERRY_NEEDS_SSE42
  if (!__builtin_cpu_supports("sse4.2")) {
    std::fprintf(stderr, "%s: this processor has no SSE 4.2, which this program was built for\n", name_.c_str());
    return kExitConfig;
  }
#endif
  ::signal(SIGPIPE, SIG_IGN);
  // Signals go to the first loop: all other threads are started with them blocked.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, &before);
  for (std::size_t i = 1; i < loops_.size(); ++i)
    threads_.emplace_back([loop = loops_[i].get(), i] {
      ::pthread_setname_np(::pthread_self(), fmt::format("loop-{}", i).c_str());
      loop->run();
    });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);

  Loop& first = *loops_[0];
  std::array<uv_signal_t, 3> signals{};
  const std::array<int, 3> numbers = {SIGTERM, SIGINT, SIGHUP};
  for (std::size_t i = 0; i < signals.size(); ++i) {
    uv_signal_init(first.uv(), &signals[i]);
    signals[i].data = this;
    uv_signal_start(
        &signals[i], [](uv_signal_t* handle, int number) { static_cast<Daemon*>(handle->data)->on_signal(number); },
        numbers[i]);
  }
  Scope scope;
  first.post([&] { scope.spawn(main(role)); });
  first.run();
  for (uv_signal_t& handle : signals) uv_close(reinterpret_cast<uv_handle_t*>(&handle), nullptr);
  uv_run(first.uv(), UV_RUN_NOWAIT);
  for (std::size_t i = 1; i < loops_.size(); ++i) loops_[i]->stop();
  for (std::thread& thread : threads_) thread.join();
  log::info("ended", {{"exit_code", std::to_string(exit_code_)}});
  return exit_code_;
}

void Daemon::on_signal(int number) {
  if (number == SIGHUP) {
    if (certificates_) certificates_->reload();
    return;
  }
  if (++signals_ > 1) {
    log::warn("a second signal: ending at once");
    log::stop();
    ::_exit(kExitOk);
  }
  log::info("asked to end: requests on their way may finish",
            {{"drain_ms", std::to_string(options_.drain_time.count())}});
  asked_to_end_.set();
}

namespace {

Task<void> cut_after(Role& role, std::chrono::milliseconds drain_time, Sleeper& sleeper) {
  const bool over = co_await sleeper.sleep(drain_time);
  if (over) co_await role.cut();
}

}  // namespace

Task<void> Daemon::main(Role& role) {
  const auto failed = [this](const Error& error) {
    std::fprintf(stderr, "%s: %s\n", name_.c_str(), error.to_string().c_str());
    exit_code_ = error.kind() == ErrorKind::kInvalid ? kExitConfig : kExitIo;
  };
  ObserveService observe(metrics_, health_);
  metrics_.gauge("wherry_connections", "Open connections of clients",
                 [this] { return server_ ? static_cast<double>(server_->connections()) : 0.0; });
  LoopLag lag(loop_pointers_, metrics_);
  lag.start();
  certificates_ = std::make_unique<Certificates>(*disk_, metrics_);
  Result<void> started;
  auto registry_tls = certificates_->load("registry", options_.tls);
  auto observe_tls = certificates_->load("observe", options_.observe_tls);
  if (!registry_tls)
    started = registry_tls.error();
  else if (!observe_tls)
    started = observe_tls.error();
  certificates_->start();
  if (started && options_.observe) {
    observer_ =
        std::make_unique<http::Server>(std::vector<Loop*>{loop_pointers_[0]}, observe, http::Limits(), *observe_tls);
    auto bound = co_await observer_->listen(*options_.observe);
    if (bound)
      log::info("observe", {{"address", bound->to_string()}});
    else
      started = bound.error();
  }
  bool role_started = false;
  std::unique_ptr<AccessLog> access_log;
  std::unique_ptr<LoggedService> logged;
  if (started) {
    started = co_await role.start(*this);
    role_started = started.has_value();
  }
  if (started) {
    observe.show([&role] { return role.status(); });
    http::Service* service = &role.service();
    if (options_.access_log) {
      const bool terminal = ::isatty(STDERR_FILENO) == 1;
      access_log =
          std::make_unique<AccessLog>(STDERR_FILENO, terminal ? AccessLog::Form::kText : AccessLog::Form::kJson);
      logged = std::make_unique<LoggedService>(*service, *access_log);
      service = logged.get();
      metrics_.count_of("wherry_access_log_dropped_total", "Lines of the access log that found no room", {},
                        [log = access_log.get()] { return log->dropped(); });
    }
    server_ = std::make_unique<http::Server>(loop_pointers_, *service, options_.limits, *registry_tls);
    auto bound = co_await server_->listen(options_.listen);
    if (bound) {
      health_.set(Health::State::kReady);
      log::info("listening", {{"role", name_},
                              {"address", bound->to_string()},
                              {"protocol", *registry_tls == nullptr ? "http" : "https"},
                              {"version", WHERRY_VERSION}});
      co_await asked_to_end_.wait();
      health_.set(Health::State::kDraining);
      role.drain();
      // Closing a connection wakes who waits for its client; who waits for something else is the role's to wake.
      Scope cutting;
      Sleeper sleeper;
      cutting.spawn(cut_after(role, options_.drain_time, sleeper));
      co_await server_->stop(options_.drain_time);
      sleeper.wake();
      co_await cutting.join();
    } else {
      started = bound.error();
    }
  }
  if (!started) failed(started.error());
  observe.show(nullptr);
  if (role_started) co_await role.stop();
  if (observer_) co_await observer_->stop(std::chrono::milliseconds(0));
  co_await lag.stop();
  co_await certificates_->stop();
  server_.reset();
  loops_[0]->stop();
}

}  // namespace wherry
