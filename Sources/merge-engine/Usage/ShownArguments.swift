import MergeEngine

/// What of the command line may be repeated in a message.
///
/// A password can stand anywhere: in a URI given as the name of a file, behind an option that does not exist, in a keyword string
/// that the shell has taken apart. So nothing is shown that has the form of a connection string or of a part of one.
struct ShownArguments {
  private let secretive: [String]

  init(_ arguments: [String]) {
    secretive = arguments.flatMap { argument in
      let value = argument.hasPrefix("-") ? argument.split(separator: "=", maxSplits: 1).dropFirst().first : nil
      return [argument] + (value.map { [String($0)] } ?? [])
    }.filter(Self.mayHoldPassword).sorted { $0.count > $1.count }
  }

  /// The message without what may hold a password.
  func clean(_ message: String) -> String {
    secretive.reduce(message) { $0.replacing($1, with: Self.substitute) }.replacing(Self.login, with: Self.substitute)
  }

  /// The part of a URI up to its host, wherever it comes from: a configuration file, a path that was made of it.
  private static var login: Regex<Substring> { /[A-Za-z][A-Za-z0-9+.-]*:\/+[^\s\/"'@]*:[^\s"'@]*@/ }

  /// Whether a text is a connection string with a password in it: a URI, or keywords with values.
  static func holdsLogin(_ text: String) -> Bool {
    text.contains(login) || text.contains(/^[A-Za-z]+:\/\/.*[?&](ssl)?password=./)
      || text.contains(/^\s*[a-z_]+\s*=.*\b(ssl)?password\s*=\s*[^\s]/)
      || text.contains(/^\s*(ssl)?password\s*=\s*[^\s]/)
  }

  /// Options that take a connection, or a command that may need one.
  private static let takingLogins: Set<String> = [
    "--database", "--staging-database", "--password-command", "--staging-password-command", "--on-end",
  ]

  /// - Throws: ``MergeFailure/usage(_:)`` for a password where something else belongs: a name or a path is in all that is said.
  static func requireNoMisplacedLogin(_ arguments: [String]) throws {
    for (index, argument) in arguments.enumerated() {
      let parts = argument.hasPrefix("--") ? argument.split(separator: "=", maxSplits: 1).map(String.init) : []
      let before = index > 0 ? arguments[index - 1] : ""
      let (option, value) = parts.count == 2 ? (parts[0], parts[1]) : (before, argument)
      guard holdsLogin(value), !takingLogins.contains(option) else { continue }
      let place = option.hasPrefix("--") ? "\(option) is followed by" : "there is"
      throw MergeFailure.usage(
        "\(place) a connection string with a password, which belongs to --database or --staging-database, or better to "
          + "DATABASE_URL or ~/.pgpass."
      )
    }
  }

  /// What stands for an argument that is not shown.
  static let substitute = "(not shown, since it may hold a password)"

  /// Whether a text looks like a connection string, or like a keyword of one with its value.
  static func mayHoldPassword(_ text: String) -> Bool {
    if text.contains("://") || text.contains("@") { return true }
    return !text.hasPrefix("-") && text.contains(/[A-Za-z_]\s*=/)
  }
}
