import Foundation
import MergeEngine

/// Shows a watch: a screen that is drawn anew on a terminal, a snapshot after another elsewhere.
struct WatchDisplay {
  private let context: CommandContext
  private let isTerminal = StandardOutput.isTerminal

  init(_ context: CommandContext) {
    self.context = context
  }

  /// Looks and draws until somebody asks to stop.
  ///
  /// - Throws: what the first look throws. Later a server that can't be reached is told on the screen: a watch outlives a
  ///   fail-over.
  func run(_ watch: StatusWatch, _ stop: StopSignal) throws {
    var start = ContinuousClock.now
    var status: LiveStatus
    do {
      status = try watch.look()
    } catch {
      guard stop.signal != nil else { throw error }
      return
    }
    let drawsScreen = isTerminal && !context.writesJSON
    if drawsScreen { StandardOutput.write(Screen.enter) }
    // Also when drawing fails: without it the terminal stays without a cursor.
    defer { if drawsScreen { StandardOutput.write(Screen.leave + lines(status, Style(isTerminal: true))) } }
    try show(status, nil)
    while watch.wait(since: start) {
      start = .now
      do {
        status = try watch.look()
        try show(status, nil)
      } catch {
        if stop.signal == nil { try show(status, error) }
      }
    }
  }

  private func show(_ status: LiveStatus, _ error: (any Error)?) throws {
    if context.writesJSON {
      if let error { return StandardError.write(failure: [text(error)], context.logFormat) }
      return try StandardOutput.write(jsonLine: status)
    }
    let problem = error.map { "\(text($0)); trying again. What follows is what was seen last.\n\n" } ?? ""
    guard isTerminal else { return StandardOutput.write(problem + lines(status, Style(isTerminal: false)) + "\n") }
    StandardOutput.write(Screen.frame(problem + lines(status, Style(isTerminal: true))))
  }

  private func lines(_ status: LiveStatus, _ style: Style) -> String { WatchTable(status: status).rendered(style) }

  private func text(_ error: any Error) -> String {
    switch error {
    case MergeFailure.unreachable(let inner): "\(inner)"
    case MergeFailure.blocked(let findings): findings.map(\.message).joined(separator: " ")
    default: "\(error)"
    }
  }
}
