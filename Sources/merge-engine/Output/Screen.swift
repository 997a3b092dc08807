import Foundation

/// The escape sequences of a screen that is drawn anew (ECMA-48, and xterm's private modes, which every terminal knows).
enum Screen {
  /// The alternate screen, so that what stood there comes back; no cursor; lines that are too long end at the edge
  /// instead of wrapping, whatever size the window has or gets.
  static let enter = "\u{1B}[?1049h\u{1B}[?25l\u{1B}[?7l"

  /// All that taken back.
  static let leave = "\u{1B}[?7h\u{1B}[?25h\u{1B}[?1049l"

  /// Draws over what is there, line by line, so that nothing flickers; and clears what is left of it.
  static func frame(_ text: String) -> String {
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    // One line too many would make the screen scroll.
    if let height, lines.count > height { lines = lines.prefix(height - 1) + ["…"] }
    return "\u{1B}[H" + lines.map { "\($0)\u{1B}[K" }.joined(separator: "\r\n") + "\u{1B}[J"
  }

  /// How many lines the window has now.
  private static var height: Int? {
    var size = winsize()
    // Safe: the kernel fills the structure that the request is made for.
    guard unsafe ioctl(FileHandle.standardOutput.fileDescriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_row > 1 else {
      return nil
    }
    return Int(size.ws_row)
  }
}
