import Foundation

/// The size of a terminal's window, as it is now.
struct TerminalSize: Equatable {
  let columns: Int
  let rows: Int

  /// Arbitrary: what terminals have that say nothing of their size, as some serial lines and containers.
  private static let usual = (columns: 80, rows: 24)
  /// Narrower than this nothing is laid out any more. Arbitrary.
  private static let leastColumns = 20

  /// - Returns: nil for what is no terminal.
  init?(of handle: FileHandle) {
    guard isatty(handle.fileDescriptor) == 1 else { return nil }
    var size = winsize()
    // Safe: the kernel fills the structure that the request is made for.
    let isKnown = unsafe ioctl(handle.fileDescriptor, UInt(TIOCGWINSZ), &size) == 0
    columns = isKnown && size.ws_col > 0 ? max(Int(size.ws_col), Self.leastColumns) : Self.usual.columns
    rows = isKnown && size.ws_row > 0 ? Int(size.ws_row) : Self.usual.rows
  }
}
