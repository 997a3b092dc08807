// Makes the man pages: one for the program, one for each command, from what the program says of itself.
//
//   merge-engine --experimental-dump-help | manual-pages VERSION FOLDER
//
// swift-argument-parser has a plugin for this, which would build the program a second time.
import Foundation

/// `--experimental-dump-help`, as far as it is needed.
struct Dump: Decodable {
  let command: Command
}

struct Command: Decodable {
  let commandName: String
  let abstract: String?
  let discussion: String?
  let shouldDisplay: Bool?
  let superCommands: [String]?
  let subcommands: [Command]?
  let arguments: [Argument]?
  let defaultSubcommand: String?

  var path: [String] { (superCommands ?? []) + [commandName] }
  var visibleCommands: [Command] { (subcommands ?? []).filter { $0.shouldDisplay != false && $0.commandName != "help" } }
}

struct Argument: Decodable {
  struct Name: Decodable {
    let kind: String
    let name: String

    var text: String { (kind == "long" ? "--" : "-") + name }
  }

  let kind: String
  let shouldDisplay: Bool?
  let isOptional: Bool?
  let isRepeating: Bool?
  let names: [Name]?
  let valueName: String?
  let abstract: String?
  let discussion: String?
  let allValues: [String]?
}

/// Text for groff: a backslash, a leading dot or apostrophe and a hyphen that is to be copied mean something there.
func escaped(_ text: String) -> String {
  text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
    let line = line.replacingOccurrences(of: "\\", with: "\\e").replacingOccurrences(of: "-", with: "\\-")
    return line.hasPrefix(".") || line.hasPrefix("'") ? "\\&" + line : line
  }.joined(separator: "\n")
}

func words(_ argument: Argument) -> String {
  let value = argument.valueName.map { "\\fI\(escaped($0))\\fR" } ?? ""
  guard argument.kind != "positional" else { return value }
  let names = (argument.names ?? []).map { "\\fB\(escaped($0.text))\\fR" }.joined(separator: ", ")
  return argument.kind == "option" ? "\(names) \(value)" : names
}

func synopsis(_ command: Command) -> String {
  var text = "\\fB\(escaped(command.path.joined(separator: " ")))\\fR"
  if !command.visibleCommands.isEmpty {
    return text + (command.defaultSubcommand == nil ? " \\fIcommand\\fR" : " [\\fIcommand\\fR]") + " [\\fIoptions\\fR]"
  }
  text += " [\\fIoptions\\fR]"
  for argument in command.arguments ?? [] where argument.kind == "positional" && argument.shouldDisplay != false {
    let value = words(argument) + (argument.isRepeating == true ? "..." : "")
    text += argument.isOptional == true ? " [\(value)]" : " \(value)"
  }
  return text
}

func page(_ command: Command, version: String) -> String {
  let name = command.path.joined(separator: "-")
  var lines = [
    ".TH \(escaped(name).uppercased()) 1 \"\" \"merge\\-engine \(escaped(version))\" \"merge\\-engine\"",
    ".SH NAME", "\(escaped(name)) \\- \(escaped(command.abstract ?? ""))", ".SH SYNOPSIS", synopsis(command),
  ]
  if let discussion = command.discussion, !discussion.isEmpty { lines += [".SH DESCRIPTION", escaped(discussion)] }
  let arguments = (command.arguments ?? []).filter { $0.shouldDisplay != false }
  if !arguments.isEmpty {
    lines.append(".SH OPTIONS")
    for argument in arguments {
      lines += [".TP", words(argument), escaped(argument.abstract ?? "")]
      if let discussion = argument.discussion, !discussion.isEmpty { lines.append(escaped(discussion)) }
    }
  }
  if !command.visibleCommands.isEmpty {
    lines.append(".SH COMMANDS")
    for subcommand in command.visibleCommands {
      let isDefault = subcommand.commandName == command.defaultSubcommand ? " (the default)" : ""
      lines += [".TP", "\\fB\(escaped(subcommand.commandName))\\fR\(isDefault)", escaped(subcommand.abstract ?? "")]
    }
  }
  if command.path.count == 1 { lines += exitStatus }
  lines.append(".SH SEE ALSO")
  let others = command.visibleCommands.map(\.path) + (command.path.count > 1 ? [Array(command.path.dropLast())] : [])
  lines.append(others.map { ".BR \(escaped($0.joined(separator: "-"))) (1)" }.joined(separator: "\n"))
  return lines.joined(separator: "\n") + "\n"
}

let exitStatus = [
  ("0", "done"), ("64, 78", "wrong usage; wrong configuration file"),
  ("65", "done, but rows are refused, or differences were found"),
  ("69", "the database or AWS can't be reached, or refuses the login"), ("70", "a bug"),
  ("73", "blocked before anything was written"), ("74", "failed while merging: run the same command again"),
  ("75", "another merge holds the table"), ("76", "the DMS task failed, or loaded less than it should have"),
  ("130, 143", "interrupted"),
].reduce(into: [".SH EXIT STATUS"]) { $0 += [".TP", "\\fB\($1.0)\\fR", escaped($1.1)] }

func write(_ command: Command, version: String, to folder: URL) throws {
  let file = folder.appending(path: command.path.joined(separator: "-") + ".1")
  try Data(page(command, version: version).utf8).write(to: file)
  for subcommand in command.visibleCommands { try write(subcommand, version: version, to: folder) }
}

guard CommandLine.arguments.count == 3 else {
  FileHandle.standardError.write(Data("usage: merge-engine --experimental-dump-help | manual-pages VERSION FOLDER\n".utf8))
  exit(64)
}
let dump = try JSONDecoder().decode(Dump.self, from: FileHandle.standardInput.readDataToEndOfFile())
try write(dump.command, version: CommandLine.arguments[1], to: URL(filePath: CommandLine.arguments[2]))
