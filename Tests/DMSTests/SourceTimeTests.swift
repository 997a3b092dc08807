import DMS
import Testing

@Suite struct SourceTimeTests {
  @Test(arguments: [
    ("2025-01-31", "2025-01-31 00:00:00"), ("2025-01-31 18:05", "2025-01-31 18:05:00"),
    ("2025-01-31T18:05:09", "2025-01-31 18:05:09"), ("2024-02-29 23:59:59.5", "2024-02-29 23:59:59.500000"),
    ("0001-01-01", "0001-01-01 00:00:00"), ("9999-12-31 23:59:59", "9999-12-31 23:59:59"),
    ("1999-12-31 23:59:59.999999", "1999-12-31 23:59:59.999999"),
  ])
  func timesAreReadAndWrittenAsTheSourcesClockShowsThem(_ text: String, _ written: String) throws {
    #expect(try SourceTime(text).description == written)
  }

  @Test(arguments: [
    "", "yesterday", "2025-1-31", "31.01.2025", "2025-02-30", "2023-02-29", "1900-02-29", "2025-13-01", "2025-00-10",
    "2025-01-31 24:00:00", "2025-01-31 18:60:00", "2025-01-31 18:00:61", "2025-01-31 18", "2025-01-31 18:00:00Z",
    "2025-01-31T18:00:00+02:00", "2025-01-31 18:00:00 Europe/Berlin", "2025-01-31 18:00:00.1234567", "0000-01-01",
    "2025-01-31 18:00:00.", "２０２５-01-31",
  ])
  func whatIsNoTimeOnAClockWithoutZoneIsRefused(_ text: String) {
    #expect(throws: DocumentError.self) { try SourceTime(text) }
  }

  @Test func everyDayOf400YearsHasItsOwnNumberAndComesBack() throws {
    var time = try SourceTime("0001-01-01 12:00:00")
    let last = try SourceTime("0401-01-01 12:00:00")
    var days = 0
    var text = time.description
    while time < last {
      time = time.advanced(bySeconds: 86_400)
      let next = time.description
      guard next > text, let back = try? SourceTime(next), back == time else {
        Issue.record("after \(text) comes \(next), which does not come back")
        return
      }
      text = next
      days += 1
    }
    // The calendar repeats itself from here on.
    #expect(days == 146_097)
    #expect(text == "0401-01-01 12:00:00")
    #expect(try SourceTime("9999-12-31").microsecondsSince2000 == 2_921_939 * 86_400_000_000)
    #expect(try SourceTime("2000-01-01").microsecondsSince2000 == 0)
    #expect(try SourceTime("2000-03-01").microsecondsSince2000 == 60 * 86_400_000_000)
    #expect(try SourceTime("1970-01-01").microsecondsSince2000 == -10_957 * 86_400_000_000)
  }

  @Test func theLoadNeverAsksForLessThanTheWindow() throws {
    let window = try TimeWindow(
      from: SourceTime("2025-01-01 00:00:00.25"),
      to: SourceTime("2025-01-31 10:00:00.000001")
    )
    #expect(window.loadBounds().lowerBound.description == "2025-01-01 00:00:00")
    #expect(window.loadBounds().upperBound.description == "2025-01-31 10:00:01")
    let padded = window.loadBounds(padding: try WindowPadding("2d"))
    #expect(padded.lowerBound.description == "2024-12-30 00:00:00")
    #expect(padded.upperBound.description == "2025-02-02 10:00:01")
    let endless = window.loadBounds(padding: WindowPadding(secondsBefore: .max, secondsAfter: .max))
    #expect(endless.lowerBound.description == "0001-01-01 00:00:00")
    #expect(endless.upperBound.description == "9999-12-31 23:59:59")
  }

  @Test func anEmptyWindowIsRefused() throws {
    let time = try SourceTime("2025-01-01")
    #expect(throws: DocumentError.emptyWindow(from: time, to: time)) { try TimeWindow(from: time, to: time) }
  }

  @Test(arguments: ["", "1", "h", "-1h", "1.5h", "1w", "99999999999999999999d", "9223372036854775807d"])
  func whatIsNoLengthOfTimeIsRefused(_ text: String) {
    #expect(throws: DocumentError.self) { try WindowPadding(text) }
  }
}
