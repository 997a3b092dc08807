import ArgumentParser
import Spelling

/// What is said of a command line that makes no sense: what is wrong with it, what was probably meant, where the help is.
struct UsageMessage {
  private let text: String
  private let arguments: [String]

  /// - Parameters:
  ///   - text: what the parser says of it.
  ///   - arguments: what was typed, without the program's name.
  init(_ text: String, arguments: [String]) {
    self.text = text
    self.arguments = arguments
  }

  /// The message, a line a thought.
  var lines: [String] {
    // Without a command it is merge's options that were typed.
    let isOfMerge = path.isEmpty && arguments.first?.hasPrefix("-") == true
    let help = (["merge-engine"] + (isOfMerge ? ["merge"] : path.map(\.name)) + ["--help"]).joined(separator: " ")
    return [problem, "See \(help)."]
  }

  // MARK: Commands

  /// The commands that were named, from the root on.
  private var path: [(name: String, command: any ParsableCommand.Type)] {
    var path: [(name: String, command: any ParsableCommand.Type)] = []
    var command: any ParsableCommand.Type = MergeEngineCommand.self
    for word in arguments {
      guard let next = Self.subcommands(of: command).first(where: { $0.name == word }) else { break }
      path.append(next)
      command = next.command
    }
    return path
  }

  private static func subcommands(of command: any ParsableCommand.Type)
    -> [(name: String, command: any ParsableCommand.Type)]
  {
    command.configuration.subcommands.map { ($0.configuration.commandName ?? "\($0)".lowercased(), $0) }
  }

  // MARK: The problem

  private var problem: String {
    if text.hasPrefix("Unexpected argument ") || text.contains(" unexpected arguments: ") { return unexpectedArgument }
    if let match = text.firstMatch(of: /^Unknown option '([^']*)'/) { return unknownOption(String(match.1)) }
    if text.contains(/^The value '.*' is invalid for '</), !path.isEmpty, let option = strangeOption {
      return unknownOption(option)
    }
    // What stands where a number belongs may be anything; what looks like a number with a slip in it is shown.
    if let match = text.firstMatch(of: /^The value '.*' is invalid for '(<[^']+>)'/) {
      return "\(match.1) must be a number, and the given value is not one \(ShownArguments.substitute)."
    }
    if let match = text.firstMatch(of: /^The value '(.*)' is invalid for '(--[a-z-]+)(?: <([^>]*)>)?/),
      !text.contains("Please provide one of"),
      match.1.wholeMatch(of: /[-+0-9., _]+[A-Za-z%]{0,2}/) == nil
    {
      let wanted = match.3?.contains("auto") == true ? "a number or auto" : "a number"
      return "\(match.2) must be \(wanted), and the given value is not \(ShownArguments.substitute)."
    }
    let cleaned = ShownArguments(arguments).clean(text).replacing(/\.$/, with: "") + "."
    // Texts are always taken, and of a choice the parser lists what there is.
    guard text.contains(/^The value .* is invalid for '--/), !text.contains("Please provide one of") else {
      return cleaned
    }
    return cleaned + " It must be a number."
  }

  /// A word where none belongs may be a command with a slip of the finger; else it may be anything, and is not repeated.
  private var unexpectedArgument: String {
    let commands = Self.subcommands(of: path.last?.command ?? MergeEngineCommand.self).map(\.name)
    let words = arguments.dropFirst(path.count)
    if let word = words.first, let command = Spelling.closest(to: word, in: commands) {
      return "There is no command \(word). Did you mean \(command)?"
    }
    let known = commands.isEmpty ? "" : " The commands are \(Spelling.list(commands))."
    let hint =
      words.contains(where: ShownArguments.mayHoldPassword)
      ? " A database is named with --database, in one word: put a keyword string in quotes." : ""
    return "There is one argument too many \(ShownArguments.substitute).\(known)\(hint)"
  }

  /// An option that the command does not have: then its value has been taken for something else.
  private var strangeOption: String? {
    let known = Self.options(of: path.last?.command ?? MergeEngineCommand.self)
    return arguments.dropFirst(path.count).prefix { $0 != "--" }
      .compactMap { $0.firstMatch(of: /^(--[a-z][a-z-]*)(=.*)?$/).map { String($0.1) } }
      .first { !known.contains($0) }
  }

  /// All options that a command's help names, each with its short form.
  private static func options(of command: any ParsableCommand.Type) -> Set<String> {
    let lines = MergeEngineCommand.helpMessage(for: command, columns: 200).split(separator: "\n")
    return Set(
      lines.filter { $0.hasPrefix("  -") }
        .flatMap { $0.split(whereSeparator: { " ,/".contains($0) }).prefix(3).map(String.init) }
    )
  }

  private func unknownOption(_ name: String) -> String {
    let bare = name.drop { $0 == "-" }
    if bare.hasPrefix("pass") || bare.hasPrefix("pw") || name.hasPrefix("-W") {
      return "There is no option for a password: put it into DATABASE_URL, ~/.pgpass or a service file."
    }
    switch name {
    case "--dry-run", "-n":
      let plans = Self.options(of: path.last?.command ?? MergeEngineCommand.self).contains("--plan")
      return plans
        ? "There is no option \(name) here. The dry run is --plan: it shows what the command would do."
        : "There is no option \(name) here. merge-engine plan is the dry run: it shows what a merge would do."
    case "-h", "--host", "-p", "--port", "-U", "--user", "--username", "-d", "--dbname":
      return "There is no option \(name). The database is named with --database postgresql://user@host:port/database."
    default: break
    }
    // -pSECRET is how others take a password.
    guard name.wholeMatch(of: /--[A-Za-z][A-Za-z0-9_-]*|-[A-Za-z]/) != nil else {
      return "There is an option that merge-engine does not know \(ShownArguments.substitute)."
    }
    let owners = Self.commands(with: name)
    if !owners.isEmpty { return "There is no option \(name) here: it belongs to \(Spelling.list(owners))." }
    let guess = text.firstMatch(of: /Did you mean '([^']*)'/).map(\.1)
    // The parser finds a guess for everything.
    let question = guess.map { Spelling.question(for: name, in: [String($0)]) } ?? ""
    return "There is no option \(name).\(question)"
  }

  /// The commands whose help has an option of this name; none for what nearly every command has.
  private static func commands(with option: String) -> [String] {
    guard option.hasPrefix("--") else { return [] }
    func owners(_ command: any ParsableCommand.Type, _ path: String) -> [String] {
      let below = subcommands(of: command)
      guard below.isEmpty else {
        return below.flatMap { owners($0.command, path.isEmpty ? $0.name : "\(path) \($0.name)") }
      }
      return options(of: command).contains(option) ? [path] : []
    }
    return owners(MergeEngineCommand.self, "")
  }
}
