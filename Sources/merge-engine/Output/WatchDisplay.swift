import Foundation
import MergeEngine
import Synchronization

/// Shows a watch: a screen that is drawn anew on a terminal, a snapshot after another elsewhere.
struct WatchDisplay {
  private let context: CommandContext

  init(_ context: CommandContext) {
    self.context = context
  }

  /// Looks and draws until somebody asks to stop.
  ///
  /// - Throws: what the first look throws. Later a server that can't be reached is told on the screen: a watch outlives a
  ///   fail-over.
  func run(_ watch: StatusWatch, _ stop: StopSignal) throws {
    var start = ContinuousClock.now
    let first: LiveStatus
    do {
      first = try watch.look()
    } catch {
      guard stop.signal != nil else { throw error }
      return
    }
    let drawsScreen = StandardOutput.terminal != nil && !context.writesJSON
    let seen = Mutex(Moment(status: first, problem: ""))
    if drawsScreen { StandardOutput.write(Screen.enter) }
    let redraw = WindowChanges { if drawsScreen { Self.draw(seen.withLock { $0 }) } }
    // Also when showing fails: without it the terminal stays without a cursor.
    defer {
      withExtendedLifetime(redraw) {}
      if drawsScreen { StandardOutput.write(Screen.leave + seen.withLock { $0 }.lines(StandardOutput.style)) }
    }
    try show(seen.withLock { $0 }, drawsScreen)
    while watch.wait(since: start) {
      start = .now
      do {
        let status = try watch.look()
        seen.withLock { $0 = Moment(status: status, problem: "") }
      } catch {
        guard stop.signal == nil else { break }
        if context.writesJSON {
          StandardError.write(failure: [Self.text(error)], context.logFormat)
          continue
        }
        seen.withLock { $0.problem = Self.text(error) }
      }
      try show(seen.withLock { $0 }, drawsScreen)
    }
  }

  /// What was seen last, and why it is no newer.
  private struct Moment {
    var status: LiveStatus
    var problem: String

    func lines(_ style: Style) -> TerminalText {
      let table = WatchTable(status: status).rendered(style)
      return problem.isEmpty
        ? table : "\(lines: problem); trying again. What follows is what was seen last.\n\n\(table)"
    }
  }

  private func show(_ moment: Moment, _ drawsScreen: Bool) throws {
    if context.writesJSON { return try StandardOutput.write(jsonLine: moment.status) }
    guard !drawsScreen else { return Self.draw(moment) }
    StandardOutput.write("\(moment.lines(.plain))\n")
  }

  private static func draw(_ moment: Moment) {
    guard let size = StandardOutput.terminal else { return }
    StandardOutput.write(Screen.frame(moment.lines(Style(terminal: size)), size))
  }

  private static func text(_ error: any Error) -> String {
    switch error {
    case MergeFailure.unreachable(let inner): "\(inner)"
    case MergeFailure.blocked(let findings): findings.map(\.message).joined(separator: " ")
    default: "\(error)"
    }
  }
}
