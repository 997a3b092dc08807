import MergeEngine
import Spelling
import Yams

/// A YAML mapping whose keys are all known, read with the line of every mistake.
struct ConfigurationMapping {
  private let mapping: Node.Mapping
  private let file: String
  /// What stands before the keys, as `tables.orders.`.
  private let path: String

  init(_ node: Node, file: String, path: String) throws {
    guard let mapping = node.mapping else {
      throw ConfigurationValue(node: node, file: file, path: path.isEmpty ? "the file" : String(path.dropLast()))
        .expected("keys with values")
    }
    self.mapping = mapping
    self.file = file
    self.path = path
  }

  /// Reads every key into its place in `target`.
  ///
  /// - Throws: ``ConfigurationError`` for a key that is not in `keys`, or a value of another kind.
  func read<Target>(_ keys: [(name: String, key: ConfigurationKey<Target>)], into target: inout Target) throws {
    for (keyNode, node) in mapping {
      let name = keyNode.string ?? "?"
      guard let key = keys.first(where: { $0.name == name })?.key else {
        let known = keys.map(\.name).joined(separator: ", ")
        throw ConfigurationError(
          description: "\(file):\(keyNode.mark?.line ?? 0): unknown key \(Self.shown(path + name))."
            + "\(Spelling.question(for: name, in: keys.map(\.name))) The keys here are: \(known)."
        )
      }
      let value = ConfigurationValue(node: node, file: file, path: path + name)
      if !Self.takingLogins.contains(name) { try value.requireNoLogin() }
      switch key {
      case .text(let place): target[keyPath: place] = try value.string()
      case .choice(let place, let choices): target[keyPath: place] = try value.string(among: choices)
      case .integer(let place, let limits): target[keyPath: place] = try value.integer(in: limits)
      case .flag(let place): target[keyPath: place] = try value.bool()
      case .list(let place): target[keyPath: place] = try value.strings()
      case .other(let read): try read(value, &target)
      }
    }
  }
}

extension ConfigurationMapping {
  /// Keys of a connection, or of a command that may need one.
  private static let takingLogins: Set<String> = [
    "database", "staging_database", "password_command", "staging_password_command", "on_end",
  ]

  /// A word out of the file, unless it may hold a password: a colon too many makes a key of half a connection string.
  static func shown(_ word: String) -> String {
    ShownArguments.mayHoldPassword(word) || word.contains("//") ? ShownArguments.substitute : word
  }
}

/// What kind of value a key has, and where it goes.
enum ConfigurationKey<Target> {
  case text(WritableKeyPath<Target, String?>)
  case choice(WritableKeyPath<Target, String?>, [String])
  case integer(WritableKeyPath<Target, Int?>, ClosedRange<Int> = Int.min...Int.max)
  case flag(WritableKeyPath<Target, Bool?>)
  case list(WritableKeyPath<Target, [String]?>)
  case other((ConfigurationValue, inout Target) throws -> Void)
}

/// A YAML value with its place.
struct ConfigurationValue {
  let node: Node
  let file: String
  /// The keys that lead to it, as `tables.orders.version_column`.
  let path: String

  func string() throws -> String {
    guard let value = node.scalar?.string else { throw expected("a text") }
    return value
  }

  /// - Throws: ``ConfigurationError`` for a password where something else belongs: a name is in all that is said.
  func requireNoLogin() throws {
    let words = [node] + (node.sequence.map { Array($0) } ?? []) + (node.mapping.map { $0.map(\.value) } ?? [])
    guard words.contains(where: { $0.scalar.map { ShownArguments.holdsLogin($0.string) } == true }) else { return }
    throw wrong(
      "\(ConfigurationMapping.shown(path)) has a connection string with a password, which belongs to database."
    )
  }

  func string(among choices: [String]) throws -> String {
    let value = try string()
    guard choices.contains(value) else {
      throw wrong("\(path) is \(ConfigurationMapping.shown(value)), but must be \(choices.joined(separator: " or ")).")
    }
    return value
  }

  func integer(in limits: ClosedRange<Int>) throws -> Int {
    // To YAML 1.1 it is octal, and to nobody who writes it.
    guard let value = node.int, node.scalar?.string.wholeMatch(of: /[+-]?0[0-9_]+/) == nil else {
      throw expected("a whole number")
    }
    guard limits.contains(value) else {
      throw wrong("\(path) is \(value), but must be from \(limits.lowerBound) to \(limits.upperBound).")
    }
    return value
  }

  func number() throws -> Double {
    guard let value = node.float else { throw expected("a number") }
    return value
  }

  func dailyWindow() throws -> String {
    let text = try string()
    guard DailyWindow(text) != nil else { throw expected("a time window such as 22:00-05:00") }
    return text
  }

  func bool() throws -> Bool {
    guard let value = node.bool else { throw expected("true or false") }
    return value
  }

  func strings() throws -> [String] {
    guard let sequence = node.sequence else { throw expected("a list, as [a, b]") }
    return try sequence.map { try ConfigurationValue(node: $0, file: file, path: path).string() }
  }

  func entries() throws -> [(String, ConfigurationValue)] {
    guard let mapping = node.mapping else { throw expected("keys with values") }
    return mapping.map { key, value in
      let name = key.string ?? "?"
      return (name, ConfigurationValue(node: value, file: file, path: "\(path).\(name)"))
    }
  }

  /// Names by name.
  func names() throws -> [String: String] {
    try entries().reduce(into: [:]) { $0[$1.0] = try $1.1.string() }
  }

  /// Addresses by the names that the cluster has for its nodes.
  func nodeAddresses() throws -> [String: NodeAddresses.Address] {
    try entries().reduce(into: [:]) { addresses, entry in
      guard NodeAddresses.Address(entry.0) != nil else {
        throw wrong(
          "\(ConfigurationMapping.shown(entry.1.path)) names no node: write it as pg_dist_node has it, name:port."
        )
      }
      guard let address = NodeAddresses.Address(try entry.1.string()) else { throw entry.1.expected("host:port") }
      addresses[entry.0] = address
    }
  }

  func expected(_ what: String) -> ConfigurationError {
    wrong("\(ConfigurationMapping.shown(path)) must be \(what).")
  }

  func wrong(_ message: String) -> ConfigurationError {
    ConfigurationError(description: "\(file):\(node.mark?.line ?? 0): \(message)")
  }
}
