#include "common/config/command.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstring>
#include <utility>

namespace wherry {
namespace {

constexpr int kWrongUse = 64;  // EX_USAGE of sysexits.h

}  // namespace

OptionRules OptionRules::required() {
  option_->required();
  return *this;
}

OptionRules OptionRules::one_of(const std::vector<std::string>& words) {
  option_->check(CLI::IsMember(words));
  return *this;
}

OptionRules OptionRules::between(std::uint64_t least, std::uint64_t most) {
  option_->check(CLI::Range(least, most));
  return *this;
}

OptionRules OptionRules::one_value_each() {
  option_->allow_extra_args(false);
  return *this;
}

OptionRules OptionRules::excludes(const OptionRules& other) {
  option_->excludes(other.option_);
  return *this;
}

OptionRules Command::option(const std::string& name, std::string& value, const std::string& help) {
  return OptionRules(app_->add_option(name, value, help));
}

OptionRules Command::option(const std::string& name, std::uint64_t& value, const std::string& help) {
  return OptionRules(app_->add_option(name, value, help));
}

OptionRules Command::option(const std::string& name, double& value, const std::string& help) {
  return OptionRules(app_->add_option(name, value, help));
}

OptionRules Command::option(const std::string& name, std::vector<std::string>& values, const std::string& help) {
  return OptionRules(app_->add_option(name, values, help));
}

OptionRules Command::flag(const std::string& name, bool& value, const std::string& help) {
  return OptionRules(app_->add_flag(name, value, help));
}

Command Command::command(const std::string& name, const std::string& help, std::function<int()> run) {
  app_->require_subcommand(1);
  CLI::App* below = app_->add_subcommand(name, help);
  below->callback([run = std::move(run), chosen = chosen_] { *chosen = run; });
  return {*below, *chosen_};
}

Command Command::group(const std::string& name, const std::string& help) {
  app_->require_subcommand(1);
  return {*app_->add_subcommand(name, help), *chosen_};
}

int run_program(const std::string& name, const std::string& about, int argc, char** argv,
                const std::function<void(Command& program)>& set_up, std::function<int()> run) {
  CLI::App app(about, name);
  app.set_version_flag("--version", std::string(WHERRY_VERSION));
  Command program(app, run);
  set_up(program);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {
    return app.exit(asked);
  } catch (const CLI::ParseError& error) {
    std::fprintf(stderr, "%s: %s; see %s --help\n", name.c_str(), error.what(), name.c_str());
    return kWrongUse;
  }
  return run();
}

void hide_argument(int argc, char** argv, std::string_view secret) {
  if (secret.empty()) return;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    const bool is_it = word == secret || (word.ends_with(secret) && word[word.size() - secret.size() - 1] == '=');
    if (is_it) std::memset(argv[i] + (word.size() - secret.size()), '*', secret.size());
  }
}

}  // namespace wherry
