import Foundation
import Testing

@testable import MergeEngine

/// Rows of CSV files as DMS writes them, wherever they are cut.
@Suite struct CSVReaderTests {
  private func read(_ text: String, _ change: (inout CSVFormat) -> Void = { _ in }) throws -> [String] {
    let url = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).csv")
    try Data(text.utf8).write(to: url)
    defer { try? FileManager.default.removeItem(at: url) }
    var format = CSVFormat()
    change(&format)
    var reader = CSVReader(try CSVSource(url), format)
    var row = CSVRow()
    var rows: [String] = []
    while try reader.next(into: &row) {
      let fields = row.fields.indices.map { row.fields[$0].isQuoted ? "<\(row.text($0))>" : row.text($0) }
      rows.append("\(row.line): \(fields.joined(separator: "|"))")
    }
    return rows
  }

  @Test func `fields, empty ones and a last line without its end`() throws {
    #expect(try read("a,b\n,\n1,\n2") == ["1: a|b", "2: |", "3: 1|", "4: 2"])
    #expect(try read("") == [])
    #expect(try read("a,") == ["1: a|"])
  }

  @Test func `quotes hold delimiters, lines and quotes, and lines are counted through them`() throws {
    #expect(try read("\"a,\"\"b\"\"\n\",c\nd,\"\"\n") == ["1: <a,\"b\"\n>|c", "3: d|<>"])
    #expect(try read("a\"b,c\n") == ["1: a\"b|c"])
    #expect(try read("\"a\",b\n") { $0.hasQuotes = false } == ["1: \"a\"|b"])
  }

  @Test func `delimiters of several letters`() throws {
    #expect(
      try read("a:b::c\r\nd::e") {
        $0.delimiter = "::"
        $0.rowDelimiter = "\r\n"
      } == ["1: a:b|c", "2: d|e"]
    )
    #expect(try read("a\nb~c~") { $0.rowDelimiter = "~" } == ["1: a\nb", "2: c"])
  }

  @Test func `a quote that is never closed is an error at its row`() throws {
    #expect(throws: CSVError.self) { try read("a\n\"b\nc") }
    #expect(throws: CSVError.self) { try read("\"a\"b\n") }
  }

  @Test func `a carriage return at the end of a row is an error where nobody has said what ends rows`() throws {
    for text in ["a,b\r\n", "\"a\",\"b\"\r\n", "\r\n"] { #expect(throws: CSVError.self) { try read(text) } }
    // The one piece of the file ends between the two.
    let long = String(repeating: "x", count: CSVSource.pieceByteCount - 3)
    #expect(throws: CSVError.self) { try read("a,\(long)\r\nb\n") }
    for text in ["a\rb,c\n", "a\r,\n", "\"a\r\"\n"] { #expect(try read(text).count == 1) }
    #expect(try read("a\r\n") { $0.rowDelimiter = "\n" } == ["1: a\r"])
  }

  @Test func `rows that lie across two pieces are whole`() throws {
    let line = "\"\(String(repeating: "x", count: 1000))\"\"\",y\n"
    let rows = try read(String(repeating: line, count: 3000))
    #expect(rows.count == 3000)
    #expect(Set(rows.map { $0.split(separator: ": ")[1] }).count == 1)
  }

  /// What an import holds of a file at any moment: a piece of it, a row, and a batch.
  @Test(arguments: [(rows: 60_000, valueLength: 20), (rows: 40, valueLength: 400_000)])
  func `however long a file is, a piece of it and a batch are all that is held`(_ file: (rows: Int, valueLength: Int))
    throws
  {
    let url = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).csv")
    defer { try? FileManager.default.removeItem(at: url) }
    let line = "1," + String(repeating: "x", count: file.valueLength) + "\n"
    try Data(String(repeating: line, count: file.rows).utf8).write(to: url)
    var reader = CSVReader(try CSVSource(url), CSVFormat())
    var (row, batch) = (CSVRow(), CSVBatch())
    var (rowCount, batchCount) = (0, 1)
    while try reader.next(into: &row) {
      rowCount += 1
      batch.append(row, fields: [0, 1], nullTexts: [], number: rowCount, file: 0, operation: nil)
      #expect(reader.buffer.count <= CSVSource.pieceByteCount + 1)
      #expect(batch.rows.count <= CSVBatch.rowLimit && batch.bytes.count < CSVBatch.byteLimit + line.utf8.count)
      guard batch.isFull else { continue }
      batch.removeAll()
      batchCount += 1
    }
    #expect(rowCount == file.rows && batchCount > 5)
  }
}
