import Foundation
import MergeEngine
import TestSupport
import Testing

@testable import merge_engine

/// Nothing that somebody else wrote reaches a terminal as more than text.
@Suite struct PrintableTests {
  /// Escape, bell, a C1 control sequence introducer, delete, a line break, a reading direction turned round, a line separator.
  private static let hostile = "\u{1B}[31mred\u{7}\u{9B}2J\u{7F}\nmerge-engine: fake\r\u{202E}evil\u{2028}"

  /// What must not reach a terminal: everything that is no text but line breaks of our own.
  private func isClean(_ text: String) -> Bool {
    !text.unicodeScalars.contains { scalar in
      scalar != "\n" && [.control, .lineSeparator, .format].contains(scalar.properties.generalCategory)
    }
  }

  @Test func `what is interpolated is shown as psql shows it, what is ours stays`() {
    let text: TerminalText = "ours\n\("a\u{1B}b\tc\nd\re\u{9B}f\u{202E}g\u{FEFF}h")\n"
    #expect(text.string == "ours\n" + #"a\x1Bb\tc\nd\re\u009Bf\u202Eg\uFEFFh"# + "\n")
    #expect("\(lines: "a\nb\u{7}")" as TerminalText == "a\n  b\\x07")
    // Text that needs its joiners is left whole.
    #expect("\("می\u{200C}خواهم 👩\u{200D}🔬")" as TerminalText == "می\u{200C}خواهم 👩\u{200D}🔬")
  }

  @Test func `a width is that of what is seen, and lines are cut and wrapped by it`() {
    let text: TerminalText = "\(TerminalText.painted("日本", 31)) e\u{301}x"
    #expect(text.width == 7)
    #expect(text.fitted(to: 4).string == "\u{1B}[31m日…\u{1B}[0m")
    #expect(("one three seventeen" as TerminalText).wrapped(to: 6) == ["one", "three", "sevent", "een"])
  }

  @Test func `JSON keeps its value and loses what a terminal would obey`() throws {
    let encoded = String(decoding: try JSONEncoder().encode([Self.hostile + "\u{E0041}"]), as: UTF8.self)
    let printable = Printable.json(encoded)
    #expect(isClean(printable))
    #expect(try JSONDecoder().decode([String].self, from: Data(printable.utf8)) == [Self.hostile + "\u{E0041}"])
  }

  @Test func `no command passes on what names, values and messages of the server hold`() async throws {
    try await TestDatabase.with { database async throws in
      let name = "t" + Self.hostile.replacing("\"", with: "")
      try database.run(
        """
        CREATE SCHEMA production; CREATE SCHEMA staging;
        CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
          BEGIN RAISE 'no: %', NEW.note; END $$;
        CREATE TABLE production."\(name)" (id text PRIMARY KEY, note text, "\(name)" int, updated_at timestamp);
        CREATE TABLE staging."\(name)" (id text, note text, "\(name)" int, updated_at timestamp);
        INSERT INTO production."\(name)" VALUES ('b', 'old', 1, '2025-01-01'), ('c', 'old', 1, '2025-01-01');
        INSERT INTO staging."\(name)" VALUES ('a' || E'\u{1B}[2J', 'new', 1, '2025-02-01'),
          ('b', 'changed' || E'\u{7}\u{202E}\n', 2, '2025-02-01'), ('c', 'tied', 3, '2025-01-01');
        CREATE TRIGGER refuse BEFORE UPDATE ON production."\(name)" FOR EACH ROW EXECUTE FUNCTION public.refuse();
        """
      )
      for arguments in [
        ["plan"], [], ["errors", "list"], ["status"], ["verify", "--mark", "none"], ["report", "1"],
        ["snapshot", "save", "night"], ["init"], ["--table", name + "x"], ["--staging-schema", name],
        ["--batch", name],
        ["--time-zone", name], ["--log-format", "json"], ["--json"], ["plan", "--json"], ["errors", "list", "--json"],
      ] {
        let outcome = try await database.call(arguments: arguments)
        #expect(isClean(outcome.everything), "\(arguments): \(outcome.transcript.debugDescription)")
        #expect(!outcome.everything.contains("\nmerge-engine: fake"), "\(arguments)")
      }
      let json = try await database.call("plan", "--json").json()
      #expect(json["tables"].elements.first?["table"].text == name)
    }
  }

  @Test func `what dms lint repeats of a document is text, too`() async throws {
    let rule =
      #"{"rules": [{"rule-type": "\u001b[31m\u0007\u202e\nx", "rule-id": "1", "rule-name": "\u001b]0;x\u0007"}]}"#
    let outcome = try await CommandLineProgram.run(["dms", "lint", "m.json"], files: ["m.json": rule])
    #expect(outcome.status == 65)
    #expect(isClean(outcome.everything), "\(outcome.transcript.debugDescription)")
  }
}
