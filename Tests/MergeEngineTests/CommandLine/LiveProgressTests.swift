import Foundation
import TestSupport
import Testing

/// What somebody sees who watches a merge in a terminal.
@Suite struct LiveProgressTests {
  /// As much of a terminal as progress uses: lines, the cursor up by lines, everything below it cleared.
  private struct Screen {
    private(set) var lines = [""]
    private var row = 0

    init(_ text: String) {
      var rest = Substring(text.replacing("\r\n", with: "\n"))
      while let character = rest.first {
        if let match = rest.prefixMatch(of: /\u{1B}\[(\d*)([A-Za-z])/) {
          rest = rest[match.range.upperBound...]
          switch match.2 {
          case "F": row = max(0, row - (Int(match.1) ?? 1))
          case "E":
            row += Int(match.1) ?? 1
            while row >= lines.count { lines.append("") }
          case "K": lines[row] = ""
          default: break
          }
          continue
        }
        rest.removeFirst()
        if character == "\n" {
          row += 1
          if row == lines.count { lines.append("") }
        } else {
          lines[row].append(character)
        }
      }
    }
  }

  @Test func `progress fits the window, follows it when it changes, and leaves one line a table`() async throws {
    try await TestDatabase.with(copyOf: .filledGuide, in: .sleeping) { database async throws in
      let terminal = try PseudoTerminal(rows: 20, columns: 60)
      let merge = try CommandLineProgram(
        ["--batch", "100", "--workers", "1", "--max-rows-per-second", "100", "--database", database.connectionString],
        environment: ["TERM": "xterm"],
        errorTerminal: terminal
      )
      func wait(until condition: () -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while !condition(), ContinuousClock.now < deadline { try await Task.sleep(for: .milliseconds(20)) }
        #expect(condition(), "\(terminal.text.suffix(2000))")
      }
      try await wait { terminal.text.contains("orders: ") }
      let narrow = terminal.text
      #expect(Screen(narrow).lines.allSatisfy { $0.count < 60 }, "\(narrow)")
      terminal.resize(rows: 20, columns: 150)
      try await wait { Screen(terminal.text).lines.contains { $0.count > 60 && $0.count < 150 } }
      #expect(try await merge.outcome().status == 0)
      try await wait { Screen(terminal.text).lines.contains { $0.hasPrefix("✓ orders: 2,000 rows") } }
      let left = Screen(terminal.text).lines.filter { !$0.isEmpty }
      #expect(
        left.count == 3 && left[0].hasPrefix("run 1: ") && left.dropFirst().allSatisfy { $0.hasPrefix("✓ ") },
        "\(left)"
      )
    }
  }

  @Test func `a message stands on a line of its own above what is live, and waiting shows its seconds`() async throws {
    try await TestDatabase.with(copyOf: .filledGuide, in: .sleeping) { database async throws in
      let other = try database.connect()
      try other.run("BEGIN; LOCK admin.merge_summary IN ACCESS EXCLUSIVE MODE")
      let terminal = try PseudoTerminal(rows: 20, columns: 100)
      let merge = try CommandLineProgram(
        ["--lock-timeout", "0", "--database", database.connectionString],
        environment: ["TERM": "xterm"],
        errorTerminal: terminal
      )
      let seconds = /• preparing … [2-9]\.\d s/
      _ = try await eventually("the seconds of a wait") {
        Screen(terminal.text).lines.contains { $0.contains(seconds) } ? true : nil
      }
      merge.send(SIGTERM)
      try other.run("ROLLBACK")
      #expect(try await merge.outcome().status != 0)
      let lines = try await eventually("the end of what is live") {
        let lines = Screen(terminal.text).lines
        return lines.contains { $0.contains("preparing") } ? nil : lines
      }
      #expect(lines.contains { $0.hasPrefix("merge-engine: ") || $0.isEmpty }, "\(lines)")
    }
  }
}
