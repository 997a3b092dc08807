/// The escape sequences of a screen that is drawn anew (ECMA-48, and xterm's private modes, which every terminal knows).
enum Screen {
  /// The alternate screen, so that what stood there comes back; no cursor; lines that are too long end at the edge
  /// instead of wrapping, whatever size the window has or gets.
  static let enter: TerminalText = "\u{1B}[?1049h\u{1B}[?25l\u{1B}[?7l"

  /// All that taken back.
  static let leave: TerminalText = "\u{1B}[?7h\u{1B}[?25h\u{1B}[?1049l"

  /// Draws over what is there, line by line, so that nothing flickers; and clears what is left of it.
  static func frame(_ text: TerminalText, _ size: TerminalSize) -> TerminalText {
    var lines = text.lines
    // One line too many would make the screen scroll.
    if lines.count > size.rows { lines = lines.prefix(size.rows - 1) + ["…"] }
    return "\u{1B}[H" + lines.map { $0 + "\u{1B}[K" }.joined("\r\n") + "\u{1B}[J"
  }
}
