import BinaryCopy
import Foundation

/// The form of the file in which `verify` hands its differences on to `repair`: a JSON object a line.
///
/// ```
/// {"check":"9c1f…","database":{…},"file":"3F2A…","format":"merge-engine differences","format_version":1,…}
/// {"check":"07be…","columns":[],"key":{"id":"7"},"kind":"missing","number":1,…}
/// …
/// {"check":"e415…","differences":1,"end_of":"3F2A…"}
/// ```
/// Lines may be taken out by hand, and the spacing within them be changed. So each line has a check of its own, of its
/// content and the file it belongs to; and the last one only says that the file is whole, and how many lines it had.
enum DifferenceFile {
  static let format = "merge-engine differences"
  static let formatVersion = 1

  /// The first line.
  struct Header: Sendable, Codable, Hashable {
    var format = DifferenceFile.format
    var formatVersion = DifferenceFile.formatVersion
    /// Tells the file from any other.
    var file = UUID().uuidString
    let writtenAt: String
    var engineVersion = EngineVersion.current
    let database: Database
    /// The last run before the verification; nil if there was none.
    let runID: Int?
    /// The zone in which zone-less times were read: the same keys are to be found again. nil in files of earlier versions.
    var timeZone: String?
    /// The snapshot of CSV files that say what was deleted; nil where a verification has compared staging.
    var snapshotID: String?
    let tables: [Table]

    /// Where production is.
    struct Database: Sendable, Codable, Hashable {
      let name: String
      let oid: String
      let systemIdentifier: String
      /// What the server's next transaction was: the ids of rows mean something only for so long.
      let nextTransaction: Int

      private enum CodingKeys: String, CodingKey {
        case name, oid
        case systemIdentifier = "system_identifier"
        case nextTransaction = "next_transaction"
      }
    }

    /// A table that was compared, and the window in which extra rows were looked for.
    struct Table: Sendable, Codable, Hashable {
      let pair: String
      let table: String
      /// What tells staging as it was from what has taken its place since.
      let staging: String
      let from: String?
      let to: String?
      /// How many rows Oracle was asked for by their keys, instead of a window; nil for a window.
      var askedKeyCount: Int?
      /// What staging called columns, by production's names, where they differ; nil in files of earlier versions, and where none is read.
      var columns: [String: String]?

      private enum CodingKeys: String, CodingKey {
        case pair, table, staging, from, to, columns
        case askedKeyCount = "asked_keys"
      }
    }

    private enum CodingKeys: String, CodingKey {
      case format, file, database, tables
      case formatVersion = "format_version"
      case writtenAt = "written_at"
      case engineVersion = "engine_version"
      case runID = "run_id"
      case timeZone = "time_zone"
      case snapshotID = "snapshot_id"
    }
  }

  /// The last line.
  struct Trailer: Sendable, Codable, Hashable {
    let endOf: String
    let differences: Int

    private enum CodingKeys: String, CodingKey {
      case differences
      case endOf = "end_of"
    }
  }

  /// A line as it stands in the file: the check beside the content.
  private struct Line<Content: Codable>: Codable {
    let check: String
    let content: Content

    private enum CodingKeys: String, CodingKey {
      case check
    }

    init(check: String, content: Content) {
      self.check = check
      self.content = content
    }

    init(from decoder: any Decoder) throws {
      check = try decoder.container(keyedBy: CodingKeys.self).decode(String.self, forKey: .check)
      content = try Content(from: decoder)
    }

    func encode(to encoder: any Encoder) throws {
      try content.encode(to: encoder)
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(check, forKey: .check)
    }
  }

  /// - Parameter file: the file that the line belongs to; the header, which says so itself, has none.
  static func line(_ content: some Codable, of file: String?) throws -> Data {
    let encoder = canonicalEncoder
    return try encoder.encode(Line(check: check(try encoder.encode(content), of: file), content: content)) + [0x0A]
  }

  /// Reads a line.
  ///
  /// - Throws: when it is no line of this kind, or not as it was written.
  static func content<Content: Codable>(_ type: Content.Type, of line: Data, in file: String?) throws -> Content {
    let line = try JSONDecoder().decode(Line<Content>.self, from: line)
    guard line.check == check(try canonicalEncoder.encode(line.content), of: file) else { throw Altered() }
    return line.content
  }

  /// A line is not what was written.
  struct Altered: Error {}

  /// The same content is always the same bytes.
  private static var canonicalEncoder: JSONEncoder {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return encoder
  }

  private static func check(_ content: Data, of file: String?) -> String {
    let digest = SHA256()
    digest.update(Array("\(file ?? "")\n".utf8).rawSpan)
    digest.update(Array(content).rawSpan)
    // Enough to notice what happens by accident.
    return String(digest.finish().prefix(16))
  }
}
