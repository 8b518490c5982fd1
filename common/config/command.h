// Command lines: a program, its commands, and what they take. CLI11 stands behind it and is included in command.cpp
// alone, for it costs ten seconds of compiler in each file.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace wherry {

/// What is said of an option beside its name; each gives itself back.
class OptionRules {
 public:
  explicit OptionRules(CLI::Option* option) : option_(option) {}
  /// The command line is wrong without it.
  OptionRules required();
  /// Refuses what is not one of these words.
  OptionRules one_of(const std::vector<std::string>& words);
  /// Refuses numbers outside of [least, most].
  OptionRules between(std::uint64_t least, std::uint64_t most);
  /// Of a list: one value each time that it is named; what follows that is something else.
  OptionRules one_value_each();
  /// Refused beside `other`.
  OptionRules excludes(const OptionRules& other);

 private:
  CLI::Option* option_;
};

/// A program or one of its commands. Names that begin with "--" are flags, others are words by their place. What is
/// filled in has to live until `run_program` ends; a command's options live well in what its `run` captures.
class Command {
 public:
  OptionRules option(const std::string& name, std::string& value, const std::string& help);
  OptionRules option(const std::string& name, std::uint64_t& value, const std::string& help);
  OptionRules option(const std::string& name, double& value, const std::string& help);
  OptionRules option(const std::string& name, std::vector<std::string>& values, const std::string& help);
  /// True when named.
  OptionRules flag(const std::string& name, bool& value, const std::string& help);
  /// A command below this one; `run` does it, and gives the exit code. One of a program's commands has to be named.
  Command command(const std::string& name, const std::string& help, std::function<int()> run);
  /// Commands that belong together below one word, which does nothing by itself.
  Command group(const std::string& name, const std::string& help);

 private:
  friend int run_program(const std::string&, const std::string&, int, char**, const std::function<void(Command&)>&,
                         std::function<int()>);
  Command(CLI::App& app, std::function<int()>& chosen) : app_(&app), chosen_(&chosen) {}

  CLI::App* app_;
  std::function<int()>* chosen_;
};

/// Reads the command line with what `set_up` adds to the program, and does what it says; `run` is for programs without
/// commands. Gives the exit code of that; 0 after --help and --version; 64 for a wrong line, with one line on stderr.
int run_program(const std::string& name, const std::string& about, int argc, char** argv,
                const std::function<void(Command& program)>& set_up, std::function<int()> run = nullptr);

/// Overwrites a secret where the command line has it, as a word or after "=": from now on, lists of processes show
/// asterisks. Whatever read the line has a copy.
void hide_argument(int argc, char** argv, std::string_view secret);

}  // namespace wherry
