import Foundation
import Testing

@testable import MergeEngine

/// Flags of the command mean nothing to who embeds the library.
@Suite struct LibraryWordsTests {
  @Test(arguments: [
    (
      "--atomic goes with neither --pause-while nor --window: it waits.",
      "atomic goes with neither pauseWhile nor window: it waits."
    ),
    ("Name the production schema: --production-schema.", "Name the production schema: schemas.production."),
    ("To merge them meanwhile: --table a --table b", "To merge them meanwhile: tables = [\"a\", \"b\"]"),
    ("name them: --table.", "name them: tables."),
    ("its rows: run verify --output again.", "its rows: run verify with outputPath again."),
    ("merge with --mark none if it is truncated", "merge with mark = .none if it is truncated"),
    (
      "`merge-engine init --print-grants r` prints it, and --again is enough.",
      "`merge-engine init --print-grants r` prints it, and again is enough."
    ),
  ])
  func `flags become properties, but for those of the program that is named`(command: String, library: String) {
    #expect(LibraryWords.text(command) == library)
  }

  @Test func `no sentence of the engine keeps a flag`() throws {
    let sources = URL(filePath: #filePath).appending(path: "../../../Sources/MergeEngine").standardized
    let files = try #require(FileManager.default.enumerator(at: sources, includingPropertiesForKeys: nil))
    var count = 0
    for case let file as URL in files where file.pathExtension == "swift" && !file.path.contains("/Face/") {
      // Statements for the DBA are about the program; another program has flags of its own.
      guard file.lastPathComponent != "Grants.swift" else { continue }
      for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
        let code = line.drop { $0 == " " }
        guard !code.hasPrefix("//"), code.contains(/--[a-z]/), !code.contains("merge-engine "),
          !code.hasPrefix("process.arguments")
        else { continue }
        count += 1
        #expect(!LibraryWords.text(String(code)).contains(/--[a-z]/), "\(file.lastPathComponent): \(code)")
      }
    }
    #expect(count > 30)
  }
}
