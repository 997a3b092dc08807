import Dispatch
import Foundation
import Synchronization

/// The lines at the bottom of the terminal that change in place: what a command is at.
///
/// Everything that the process writes goes through here: what is live gives way, the text is written, and the live lines
/// stand below it again. So nothing is ever glued to a line that somebody else has begun. They are drawn again every second,
/// since the longest wait should show its seconds, and at once when the window changes.
final class LiveArea: Sendable {
  /// The process has one terminal.
  static let shared = LiveArea()

  /// Makes the lines anew for a window of that width.
  typealias Rendering = @Sendable (_ style: Style) -> [TerminalText]

  private struct State {
    var rendering: Rendering?
    /// The widths of the lines that stand there.
    var drawn: [Int] = []
    var ticker: Ticker?
  }

  private let state = Mutex(State())

  /// Shows these lines from now on, instead of those before, if stderr is a terminal.
  func show(_ rendering: @escaping Rendering) {
    guard StandardError.terminal != nil else { return }
    state.withLock { state in
      state.rendering = rendering
      if state.ticker == nil { state.ticker = Ticker { [weak self] in self?.redraw() } }
      Self.send(Self.erasing(&state) + Self.drawing(&state), to: .standardError)
    }
  }

  /// Removes the lines.
  func end() {
    state.withLock { state in
      state.ticker = nil
      state.rendering = nil
      Self.send(Self.erasing(&state), to: .standardError)
    }
  }

  /// Writes whole lines above what is live.
  ///
  /// - Returns: why that could not be done; nil when it was.
  @discardableResult
  func write(_ text: String, to handle: FileHandle) -> (any Error)? {
    state.withLock { state in
      Self.send(Self.erasing(&state), to: .standardError)
      defer { Self.send(Self.drawing(&state), to: .standardError) }
      return Self.send(text, to: handle)
    }
  }

  private func redraw() {
    _ = state.withLock { Self.send(Self.erasing(&$0) + Self.drawing(&$0), to: .standardError) }
  }

  /// Up to the first live line, each of them cleared, and up again (ECMA-48: CPL, EL, CNL). Not cleared all at once: where the
  /// first line of the window is among them, some terminals keep what was there in their history. A window that has become
  /// narrower has broken the lines that were too long for it.
  private static func erasing(_ state: inout State) -> String {
    guard !state.drawn.isEmpty, let columns = StandardError.terminal?.columns else { return "" }
    let rows = state.drawn.reduce(0) { $0 + max(1, ($1 + columns - 1) / columns) }
    state.drawn = []
    return "\u{1B}[\(rows)F" + String(repeating: "\u{1B}[2K\u{1B}[1E", count: rows) + "\u{1B}[\(rows)F"
  }

  private static func drawing(_ state: inout State) -> String {
    guard let rendering = state.rendering, let terminal = StandardError.terminal else { return "" }
    let style = Style(terminal: terminal)
    let lines = rendering(style).prefix(max(terminal.rows - 1, 1)).map { $0.fitted(to: style.width) }
    state.drawn = lines.map(\.width)
    return lines.map { $0.string + "\n" }.joined()
  }

  @discardableResult
  private static func send(_ text: String, to handle: FileHandle) -> (any Error)? {
    guard !text.isEmpty else { return nil }
    do {
      try handle.write(contentsOf: Data(text.utf8))
      return nil
    } catch {
      return error
    }
  }
}

/// Calls every second, and when the window changes.
private final class Ticker: @unchecked Sendable {
  // Safe: resumed and cancelled only, which Dispatch allows on any thread.
  private let timer = DispatchSource.makeTimerSource(queue: .global())
  private let windowChanges: WindowChanges

  init(_ tick: @escaping @Sendable () -> Void) {
    windowChanges = WindowChanges(tick)
    timer.schedule(deadline: .now() + 1, repeating: 1)
    timer.setEventHandler(handler: tick)
    timer.resume()
  }

  deinit {
    timer.cancel()
  }
}
