import Foundation
import Libpq
import TestSupport
import Testing

/// What a report shows, seen in a real Chromium.
@Suite struct ReportPageTests {
  /// Markup of every kind, a quote that a combining mark hides from Swift, and newlines.
  private static let markup = #"<script>document.title='owned'</script><img src=x onerror=alert(1)> "q" 'q' & x"#
  private static let hiddenQuote = "\"\u{338} onclick=\"alert(1)"

  private static func html(of database: TestDatabase, run: Int = 1) async throws -> String {
    let outcome = try await database.call("report", "\(run)", "--output", "-")
    #expect(outcome.status == 0, "\(outcome.errors)")
    return outcome.output
  }

  @Test func `the report of a run with quarantined rows shows its counts, reasons, keys and parameters`() async throws {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      try database.run("ALTER TABLE production.orders ADD CONSTRAINT amounts CHECK (amount <> 17.75)")
      let json = try await database.call("--json", "--batch", "300", "--from", "2024-01-01", "--to", "2027-01-01")
        .json()
      let page = try await Chromium.open(Self.html(of: database))
      #expect(page.title == "Run 1 - PARTIAL - merge-engine")
      for table in ["customers", "orders"] {
        let counts = json["tables"].table(table)
        let cells = ["read", "inserted", "updated", "unchanged", "stale", "duplicate", "errors", "batches"].map {
          counts[$0].integer.map(Self.grouped) ?? "?"
        }
        #expect(page.text.contains("\(table)\t" + cells.joined(separator: "\t")))
      }
      let states = try #require(json["totals"]["errors"].integer)
      #expect(states == 2)
      #expect(page.text.contains("23514\ncheck_violation"))
      #expect(page.text.contains("violates check constraint \"amounts\""))
      for key in try database.sortedRows("SELECT row_key ->> 'order_id' FROM admin.merge_errors") {
        #expect(page.text.contains("order_id \(key.trimmingCharacters(in: ["(", ")"]))"))
      }
      #expect(page.text.contains("from 2024-01-01, before 2027-01-01"))
      #expect(page.text.contains("--batch\t300"))
      #expect(page.text.contains("worker 1") && page.text.contains("worker 2"))
      #expect(page.text.contains("None is recorded for this run"))
    }
  }

  @Test func `the page and status agree on the refused rows that stand open, whichever run refused them`() async throws
  {
    try await TestDatabase.with { database async throws in
      try database.run(
        """
        CREATE SCHEMA production; CREATE TABLE production.t (id int PRIMARY KEY, v int CHECK (v > 0), updated_at int);
        CREATE SCHEMA staging; CREATE TABLE staging.t (id int, v int, updated_at int);
        INSERT INTO staging.t SELECT n, n - 2, 1 FROM generate_series(1, 10) AS n;
        """
      )
      func standing() async throws -> Int? {
        try await database.call("status", "--json").json()["tables"].table("t")["errors"].integer
      }
      for _ in 0..<2 { #expect(try await database.call("--quiet").status == 65) }
      #expect(try await standing() == 2)
      let open = try await Chromium.open(Self.html(of: database, run: 2)).text
      #expect(
        open.contains("0 staging rows read; the server refused none of them, but rows that earlier runs had refused")
      )
      #expect(open.contains("2 refused rows of the run's tables stand open now"))
      #expect(try await database.call("errors", "dismiss", "--reason", "known").status == 0)
      #expect(try await standing() == 0)
      let dismissed = try await Chromium.open(Self.html(of: database, run: 1)).text
      #expect(dismissed.contains("No refused row of the run's tables stands open now"))
      #expect(dismissed.contains("2 of them were dismissed since"))
    }
  }

  @Test func `markup in names, keys and messages shows as text, and nothing of it becomes part of the page`()
    async throws
  {
    try await TestDatabase.with { database async throws in
      // As long as the server lets a name be.
      let table = String(Self.markup.prefix(63))
      try await makeHostileTable(database, table)
      // In an attribute a quote would end it: with two tables there is a picture named after each.
      try await makeHostileTable(database, Self.hiddenQuote)
      #expect(try await database.call().status == 65)
      let page = try await Chromium.open(Self.html(of: database))
      #expect(page.title == "Run 1 - PARTIAL - merge-engine")
      #expect(page.text.contains("\(table)\t1\t0"))
      #expect(page.text.contains("\(Self.hiddenQuote)\t1\t0"))
      #expect(page.text.contains("line one\nline two \(Self.markup)"))
      #expect(page.text.contains("id \(Self.hiddenQuote)"))
      #expect(page.elements["script"] == nil)
      #expect(page.elements["img"] == nil)
      #expect(page.handlers == 0)
    }
  }

  @Test func `what is not seen in names, keys and messages is made visible, but for line breaks`() async throws {
    try await TestDatabase.with { database async throws in
      let hidden = "\u{1B}[31m\u{1}\u{9B}\u{202E}\u{2066}\u{200B}\u{2028}\r"
      let shown = #"\x1B[31m\x01\u009B\u202E\u2066\u200B\u2028\r"#
      try await makeHostileTable(database, "name" + hidden)
      try database.run("UPDATE staging.\(Identifier("name" + hidden).quoted) SET id = $k$key\(hidden)$k$")
      #expect(try await database.call().status == 65)
      let html = try await Self.html(of: database)
      #expect(html.contains("<bdi>name\(shown)</bdi>"))
      #expect(html.contains("<bdi>id key\(shown)</bdi>"))
      #expect(html.contains("line one\nline two"))
      let unseen = html.unicodeScalars.filter {
        $0 != "\n" && [.control, .format, .lineSeparator].contains($0.properties.generalCategory)
      }
      #expect(unseen.isEmpty, "\(unseen.map(\.value))")
    }
  }

  /// A table whose name is markup, with rows that are refused with markup as the reason.
  private func makeHostileTable(_ database: TestDatabase, _ name: String) async throws {
    let table = Identifier(name).quoted
    try database.run(
      """
      CREATE SCHEMA IF NOT EXISTS production;
      CREATE TABLE production.\(table) (id text PRIMARY KEY, updated_at int);
      CREATE OR REPLACE FUNCTION production.refuse() RETURNS trigger LANGUAGE plpgsql AS $f$
      BEGIN RAISE EXCEPTION 'line one%line two %', chr(10), $m$\(Self.markup)$m$; END $f$;
      CREATE TRIGGER refuse BEFORE INSERT ON production.\(table) FOR EACH ROW EXECUTE FUNCTION production.refuse();
      """
    )
    #expect(try await database.call("init").status == 0)
    try database.run("INSERT INTO staging.\(table) (id, updated_at) VALUES ($k$\(Self.hiddenQuote)$k$, 1)")
  }

  @Test(arguments: Chromium.Scheme.allCases)
  func `in light and in dark every text stands out from its ground by 4_5 to 1`(scheme: Chromium.Scheme) async throws {
    let page = try await Chromium.open(Self.storedPage.value, scheme: scheme)
    #expect(page.lowestContrast >= 4.5, "\(page.faintestText)")
    #expect(page.background == (scheme == .light ? "rgb(255, 255, 255)" : "rgb(18, 22, 26)"))
  }

  @Test func `a screen reader gets a table for every chart, names, scopes, and headings in order`() async throws {
    let page = try await Self.storedView.value
    #expect(page.language == "en")
    #expect(page.unnamed == [])
    #expect(page.sectionsWithoutTable == [])
    #expect(page.elements["svg"] ?? 0 > 4)
    #expect(page.headings.first == "h1")
    #expect(page.headings.filter { $0 == "h1" }.count == 1)
    for (above, below) in zip(page.headings, page.headings.dropFirst()) {
      #expect(Int(below.dropFirst()) ?? 9 <= (Int(above.dropFirst()) ?? 0) + 1)
    }
  }

  @Test func `the page asks for nothing beside itself and holds no script`() async throws {
    let html = try await Self.storedPage.value
    let page = try await Self.storedView.value
    #expect(page.requests == [])
    for element in ["script", "link", "img", "iframe", "object", "embed"] { #expect(page.elements[element] == nil) }
    #expect(!html.contains("http:") && !html.contains("https:") && !html.contains("url("))
  }

  @Test(arguments: [360, 700, 1200])
  func `the page is never wider than the window; wide tables scroll in themselves`(width: Int) async throws {
    #expect(try await Chromium.open(Self.storedPage.value, width: width).overflowPixels == 0)
  }

  /// A run with refused rows and warnings, and a verification that finds differences and types.
  private static let everyKindOfContent = DatabaseTemplate("every_kind_of_content") { database in
    try await database.makeGuideTables()
    try database.fillGuideTables()
    try database.run(
      """
      ALTER TABLE production.orders ADD CONSTRAINT amounts CHECK (amount <> 17.75);
      ALTER TABLE production.orders ALTER amount TYPE numeric(14,4);
      CREATE TABLE staging.nowhere_in_production (id integer);
      """
    )
    #expect(try await database.call("--batch", "300", "--ties", "compare").status == 65)
    try database.run("DELETE FROM production.orders WHERE order_id = 8")
    #expect(try await database.call("verify", "--recheck-after", "0").status == 65)
  }

  /// Its report, made once, and what a window of the usual width shows of it. To be asked for outside of a lane's turn.
  private static let storedPage = Task {
    var page = ""
    try await TestDatabase.with(copyOf: everyKindOfContent) { page = try await html(of: $0) }
    return page
  }

  private static let storedView = Task { try await Chromium.open(storedPage.value) }

  @Test func `warnings and the newest verification are shown, with what differs`() async throws {
    try await TestDatabase.with(copyOf: Self.everyKindOfContent) { database async throws in
      let text = try await Chromium.open(Self.html(of: database)).text
      #expect(text.contains("staging.nowhere_in_production has no table of the same name in production"))
      #expect(text.contains("✕ DIFFERENT"))
      #expect(text.contains("orders\tmissing\torder_id 8"))
      #expect(text.contains("PRECISION MISMATCH"))
      try database.run("INSERT INTO production.orders SELECT 8, 1, 1, now(), now()")
      // Nothing differs any more, but refused rows stand.
      #expect(try await database.call("verify", "--recheck-after", "0").status == 65)
      #expect(try await Chromium.open(Self.html(of: database)).text.contains("! PARTIAL"))
    }
  }

  @Test func `a run from before there were records of batches has a sentence in the place of its chart`() async throws {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      #expect(try await database.call().status == 0)
      try database.run(
        """
        DROP TABLE admin.merge_batches, admin.merge_verifications;
        ALTER TABLE admin.merge_summary DROP COLUMN warnings;
        """
      )
      let before = try database.contents()
      let text = try await Chromium.open(Self.html(of: database)).text
      #expect(text.contains("This run predates the version of merge-engine that records each batch."))
      #expect(text.contains("This run predates the version of merge-engine that records warnings."))
      #expect(text.contains("orders\t2,000"))
      #expect(try database.contents() == before)
    }
  }

  @Test func `a run of which only the beginning is on record has its sentences and no empty chart`() async throws {
    try await TestDatabase.with(copyOf: .guide) { database async throws in
      try database.run("INSERT INTO admin.merge_summary (merge_start, status) VALUES (now(), 'LOADING')")
      let page = try await Chromium.open(Self.html(of: database))
      #expect(page.title == "Run 1 - LOADING - merge-engine")
      #expect(page.text.contains("The load into staging was still going"))
      #expect(page.text.contains("No counts by table are recorded"))
      #expect(page.text.contains("No batch was committed."))
      #expect(page.elements["svg"] == nil)
    }
  }

  @Test func `a run that was rolled back by a later command says so in its own words`() async throws {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      #expect(try await database.call().status == 0)
      try database.run(
        "UPDATE admin.merge_summary SET status = 'ROLLED BACK', notes = 'Rolled back: 2 rows were left alone.'"
      )
      let text = try await Chromium.open(Self.html(of: database)).text
      #expect(text.contains("↺ ROLLED BACK"))
      #expect(text.contains("Rolled back: 2 rows were left alone."))
    }
  }

  @Test func `a run that is being rolled back, or was, does not read as if all were merged`() async throws {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      #expect(try await database.call("--before-images").status == 0)
      let other = try database.connect()
      try other.run("BEGIN; SELECT FROM production.orders WHERE order_id = 8 FOR UPDATE")
      let rollback = try database.launch(["rollback", "1", "--lock-timeout", "0", "--quiet"])
      try await database.wait(for: TestDatabase.somebodyWaitsForALock)
      let going = try await Chromium.open(Self.html(of: database))
      #expect(going.title == "Run 1 - ROLLING BACK - merge-engine")
      #expect(going.text.contains("The run was being rolled back when this page was made"))
      #expect(!going.text.contains("rows merged,"), "\(going.text.prefix(500))")
      try other.run("UPDATE production.orders SET amount = 1 WHERE order_id = 8; COMMIT")
      #expect(try await rollback.outcome().status == 65)
      let part = try await Chromium.open(Self.html(of: database))
      #expect(part.text.contains("↺ ROLLED BACK IN PART"))
      #expect(part.text.contains("1 left alone."))
      try database.run("DELETE FROM admin.before_1_orders")
      #expect(try await database.call("rollback", "1", "--quiet").status == 0)
      let done = try await Chromium.open(Self.html(of: database))
      #expect(done.title == "Run 1 - ROLLED BACK - merge-engine")
      #expect(done.text.contains("0 rows restored, 0 deleted, 0 left alone."))
      #expect(done.text.contains("None is recorded for this run"))
    }
  }

  @Test func `what a merge found about its tables stands on the page and in its JSON`() async throws {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      try database.run(
        """
        CREATE FUNCTION public.stamp() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN NEW.updated_at := now(); RETURN NEW; END';
        CREATE TRIGGER stamper BEFORE INSERT OR UPDATE ON production.orders FOR EACH ROW EXECUTE FUNCTION public.stamp();
        """
      )
      let merge = try await database.call("--json")
      #expect(merge.status == 0)
      let warning = "the trigger stamper of production.orders seems to set updated_at (function public.stamp)"
      let told = try merge.json()["warnings"].elements.compactMap(\.text)
      #expect(told.count == 1)
      #expect(told.first?.hasPrefix(warning) == true)
      #expect(merge.errors.split(separator: "\n").count == 1)
      #expect(merge.errors.contains(warning))
      #expect(try await Chromium.open(Self.html(of: database)).text.contains("orders \(warning)"))
    }
  }

  @Test func `on paper every table can be seen, those in what is closed on the screen too`() async throws {
    let html = try await Self.storedPage.value
    let printed = try await Chromium.open(html, asPrinted: true)
    #expect(printed.elements["details"] ?? 0 > 0)
    #expect(printed.hiddenTables == [])
    #expect(printed.text.contains("Rows per second in intervals of"))
    // That the question can be answered with no: without the style of paper it stays closed.
    let closed = try await Chromium.open(html.replacing("@media print", with: "@media none"), asPrinted: true)
    #expect(!closed.hiddenTables.isEmpty)
  }

  @Test func `charts have areas that are drawn, and bars whose segments are as wide as their counts`() async throws {
    try await TestDatabase.with(copyOf: Self.everyKindOfContent) { database async throws in
      let page = try await Chromium.open(Self.html(of: database))
      // All together, two workers, two tables.
      #expect(page.areas.count == 5)
      #expect(page.areas.allSatisfy { $0[0] > 0 && $0[1] > 0 }, "\(page.areas)")
      let counts = try database.sortedRows(
        """
        SELECT records_inserted, records_updated, records_unchanged, records_stale, records_error FROM admin.merge_logs
        WHERE table_name = 'orders'
        """
      ).flatMap { $0.dropFirst().dropLast().split(separator: ",").compactMap { Int($0) } }
      let bar = try #require(page.bars.count == 2 ? page.bars[1] : nil)
      let widths = ["inserted", "updated", "unchanged", "stale", "refused"].map { bar[$0] ?? 0 }
      #expect(zip(widths, counts).allSatisfy { ($0 > 0) == ($1 > 0) }, "\(bar)")
      #expect(bar.count == 4)
      for left in counts.indices {
        for right in counts.indices where counts[left] > counts[right] { #expect(widths[left] > widths[right]) }
      }
    }
  }

  @Test func `refused rows stand by reason, most rows first, with some keys and how many more`() async throws {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      try database.run(
        """
        ALTER TABLE production.orders ADD CONSTRAINT few CHECK (order_id % 100 <> 7) NOT VALID;
        ALTER TABLE production.orders ADD CONSTRAINT many CHECK (order_id % 20 <> 8) NOT VALID;
        """
      )
      #expect(try await database.call().status == 65)
      let page = try await Chromium.open(Self.html(of: database))
      let many = try #require(page.text.firstRange(of: "100\torders\t23514"))
      let few = try #require(page.text.firstRange(of: "20\torders\t23514"))
      #expect(many.lowerBound < few.lowerBound)
      let first = page.text[many.lowerBound..<few.lowerBound]
      #expect(first.contains("violates check constraint \"many\"") && first.contains("and 95 more"))
      let second = page.text[few.lowerBound...]
      #expect(second.contains("violates check constraint \"few\"") && second.contains("and 15 more"))
      #expect(first.components(separatedBy: "order_id ").count == 6)
    }
  }

  @Test func `a report of a run whose table is gone since is what it was`() async throws {
    try await TestDatabase.with(copyOf: .filledGuide) { database async throws in
      #expect(try await database.call().status == 0)
      try database.run("DROP TABLE production.orders, staging.orders CASCADE")
      #expect(try await Chromium.open(Self.html(of: database)).text.contains("orders\t2,000"))
    }
  }

  /// `1,234`
  private static func grouped(_ number: Int) -> String {
    number < 1000 ? "\(number)" : "\(number / 1000)," + String("\(1000 + number % 1000)".dropFirst())
  }
}
