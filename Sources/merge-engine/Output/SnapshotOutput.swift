import Foundation
import MergeEngine

/// What a snapshot holds, as JSON (the manifest itself) or as a person reads it.
struct SnapshotOutput {
  let manifest: SnapshotManifest
  let directory: URL

  /// - Parameter verb: what was done to the files.
  func write(asJSON: Bool, isQuiet: Bool, verb: String) throws {
    if asJSON { return try StandardOutput.write(json: manifest) }
    guard !isQuiet else { return }
    StandardOutput.write(rendered(StandardOutput.style, verb: verb))
  }

  private func rendered(_ style: Style, verb: String) -> TerminalText {
    var table = TextTable([
      .text("table"), .number("rows"), .number("size"), .number("columns"), .text("key"), .text("version"),
      .text("SHA-256"),
    ])
    for entry in manifest.tables {
      table.add([
        manifest.label(entry), Numbers.grouped(entry.rowCount), Numbers.bytes(entry.byteCount),
        "\(entry.columns.count)",
        entry.key.isEmpty ? "-" : entry.key.joined(separator: ", "), entry.versionColumn ?? "-",
        String(entry.sha256.prefix(12)) + "…",
      ])
    }
    let rows = manifest.tables.reduce(0) { $0 + $1.rowCount }
    return table.rendered(style) + "\n" + facts + "\n"
      + style.paint("\(verb)", .green) + ": \(Numbers.counted(rows, "row")) in \(directory.path)\n"
  }

  private var schemas: String {
    manifest.isOfSeveralPairs
      ? "the schemas \(manifest.pairNames.joined(separator: ", "))" : "the schema \(manifest.stagingSchema)"
  }

  private var facts: TerminalText {
    var lines: [TerminalText] = [
      "snapshot \(manifest.id), taken \(manifest.takenAt) by merge-engine \(manifest.engineVersion)",
      "from \(schemas) of PostgreSQL \(manifest.serverVersion), texts in \(manifest.encoding)",
    ]
    if let window = manifest.window {
      lines.append("window of the last run: from \(window.from ?? "the beginning") to \(window.to ?? "the end")")
    }
    return lines.map { "\($0)\n" }.joined()
  }
}
