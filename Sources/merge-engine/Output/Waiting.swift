import MergeEngine

/// Work that has nothing to count yet, or at all: what it is, and for how many seconds already.
enum Waiting {
  /// Nobody should see a line flash up. Arbitrary.
  private static let patience = Duration.seconds(1)

  /// Shows `text` from now on, if there is a terminal and the command may speak.
  static func show(_ text: String, _ context: CommandContext) { if !context.isQuiet { show(text) } }

  private static func show(_ text: String) {
    let start = ContinuousClock.now
    LiveArea.shared.show { style in
      let waited = ContinuousClock.now - start
      guard waited >= patience else { return [] }
      return ["\(style.paint("•", .yellow)) \(text) … \(Numbers.duration(milliseconds: waited.milliseconds))"]
    }
  }

  /// Runs blocking work on a thread of its own, and shows for how long.
  static func on<Value: Sendable>(
    _ text: String,
    _ context: CommandContext,
    _ work: @escaping @Sendable () throws -> Value
  ) async throws -> Value {
    show(text, context)
    defer { LiveArea.shared.end() }
    return try await onThreadOfItsOwn(work)
  }

  /// The same in a command that knows no `--quiet`.
  static func on<Value: Sendable>(_ text: String, _ work: @escaping @Sendable () throws -> Value) async throws -> Value
  {
    show(text)
    defer { LiveArea.shared.end() }
    return try await onThreadOfItsOwn(work)
  }
}
