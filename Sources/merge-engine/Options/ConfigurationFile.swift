import Foundation
import MergeEngine
import Yams

/// What is wrong with the configuration file, and where.
struct ConfigurationError: Error, CustomStringConvertible {
  let description: String
}

/// The keys of the configuration file. Every one is optional, and a flag on the command line wins over it.
///
/// ```yaml
/// database: postgresql://merger@db.example/shop
/// staging_schema: staging
/// batch: 50000
/// tables:
///   orders:
///     staging_table: ORA_ORDERS
///     columns: {amount: AMT}
///     key: [order_number]
///     version_column: changed_at
///     insert_only_columns: [created_at, created_by]
///     ignore_columns: [dms_load_time]
///     source_table: SALES_ORDERS
///     parallel_load: partitions-auto
/// dms:
///   source_schema: SHOP
///   source_endpoint_arn: arn:aws:dms:…:endpoint:…
/// ```
struct ConfigurationFile {
  var database: String?
  var passwordCommand: [String]?
  var stagingSchema: String?
  var productionSchema: String?
  var adminSchema: String?
  var pairs: [String]?
  var include: [String]?
  var batch: Int?
  var workers: WorkerChoice?
  var atomic: Bool?
  var mark: String?
  var nulls: String?
  var ties: String?
  var lockTimeout: Int?
  var maxLockTime: Int?
  var statementTimeout: Int?
  var reconnectTimeout: Int?
  var maxErrors: Int?
  var maxRowsPerSecond: Int?
  var maxReplicaLag: Int?
  var replica: String?
  var pauseWhile: String?
  var onEnd: String?
  var window: String?
  var onNodes: Bool?
  var citusNodes: [String: NodeAddresses.Address] = [:]
  var stagingDatabase: String?
  var stagingPasswordCommand: [String]?
  var beforeImages: Bool?
  var cleanup: Bool?
  var recheckAfter: Double?
  var maxExtraPercent: Double?
  var timeZone: String?
  var logFormat: String?
  var foldCase: Bool?
  var versionColumn: String?
  var insertOnlyColumns: [String]?
  var tables: [String: Table] = [:]
  var dms = DMSConfiguration()

  /// What one table has instead.
  struct Table {
    var versionColumn: String?
    var insertOnlyColumns: [String]?
    var ignoreColumns: [String]?
    var key: [String]?
    var stagingTable: String?
    var columns: [String: String]?
    var source = SourceTable()
  }

  /// The file that is read when none is named, if it is there.
  static let defaultName = "merge-engine.yaml"

  /// No file.
  init() {}

  /// Reads a file.
  ///
  /// - Parameter path: nil for ``defaultName`` in the working directory, which may be missing.
  /// - Throws: ``ConfigurationError`` naming file, line and key.
  init(path: String?) throws {
    let name = path ?? Self.defaultName
    guard path != nil || FileManager.default.fileExists(atPath: name) else {
      self.init()
      return
    }
    guard let data = FileManager.default.contents(atPath: name) else {
      throw ConfigurationError(description: "\(name): the file can't be read. Name the right one: --config FILE.")
    }
    try self.init(text: String(decoding: data, as: UTF8.self), name: name)
  }

  /// Reads a file's text.
  init(text: String, name: String) throws {
    let root: Node?
    do {
      root = try Yams.compose(yaml: text)
    } catch {
      throw ConfigurationError(description: "\(name)\(Self.words(error))")
    }
    self.init()
    // Nothing but comments, or a lone ---.
    guard let root, root.scalar?.string.isEmpty != true else { return }
    try ConfigurationMapping(root, file: name, path: "").read(Self.keys, into: &self)
  }

  /// Where it stops being YAML, and why; without the line itself, which may hold a password.
  private static func words(_ error: any Error) -> String {
    if case .duplicatedKeysInMapping(let keys, let context) = error as? YamlError {
      return ":\(context.mark.line): the key \(ConfigurationMapping.shown(keys[0])) appears more than once."
    }
    let reason: (problem: String, mark: Mark?) =
      switch error as? YamlError {
      case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
        .composer(_, let problem, let mark, _):
        (problem, mark)
      default: ("it can't be read", nil)
      }
    return "\(reason.mark.map { ":\($0.line):\($0.column)" } ?? ""): this is not YAML: \(reason.problem)."
  }

  private static var keys: [(String, ConfigurationKey<Self>)] {
    [
      ("database", .text(\.database)),
      ("password_command", .list(\.passwordCommand)),
      ("staging_schema", .text(\.stagingSchema)),
      ("production_schema", .text(\.productionSchema)),
      ("admin_schema", .text(\.adminSchema)),
      ("pairs", .list(\.pairs)),
      ("include", .list(\.include)),
      ("batch", .integer(\.batch, MergeLimits.batchRows)),
      ("workers", .other { $1.workers = try $0.workerChoice() }),
      ("atomic", .flag(\.atomic)),
      ("mark", .choice(\.mark, MergeOptions.Mark.allCases.map(\.rawValue))),
      ("nulls", .choice(\.nulls, MergeOptions.NullRule.allCases.map(\.rawValue))),
      ("ties", .choice(\.ties, MergeOptions.TieRule.allCases.map(\.rawValue))),
      ("lock_timeout", .integer(\.lockTimeout, MergeLimits.timeoutMilliseconds)),
      ("max_lock_time", .integer(\.maxLockTime, MergeLimits.lockMilliseconds)),
      ("statement_timeout", .integer(\.statementTimeout, MergeLimits.timeoutMilliseconds)),
      ("reconnect_timeout", .integer(\.reconnectTimeout, MergeLimits.seconds)),
      ("max_errors", .integer(\.maxErrors, MergeLimits.refusedRows)),
      ("max_rows_per_second", .integer(\.maxRowsPerSecond, MergeLimits.rows)),
      ("max_replica_lag", .integer(\.maxReplicaLag, MergeLimits.seconds)),
      ("replica", .text(\.replica)),
      ("pause_while", .text(\.pauseWhile)),
      ("window", .other { $1.window = try $0.dailyWindow() }),
      ("on_end", .text(\.onEnd)),
      ("on_nodes", .flag(\.onNodes)),
      ("citus_nodes", .other { value, file in file.citusNodes = try value.nodeAddresses() }),
      ("staging_database", .text(\.stagingDatabase)),
      ("staging_password_command", .list(\.stagingPasswordCommand)),
      ("before_images", .flag(\.beforeImages)),
      ("cleanup", .flag(\.cleanup)),
      ("recheck_after", .other { $1.recheckAfter = try $0.number() }),
      ("max_extra_percent", .other { $1.maxExtraPercent = try $0.number() }),
      ("time_zone", .text(\.timeZone)),
      ("log_format", .choice(\.logFormat, LogFormat.allCases.map(\.rawValue))),
      ("fold_case", .flag(\.foldCase)),
      ("version_column", .text(\.versionColumn)),
      ("insert_only_columns", .list(\.insertOnlyColumns)),
      (
        "tables",
        .other { value, file in
          for (name, entry) in try value.entries() {
            var table = Table()
            try ConfigurationMapping(entry.node, file: entry.file, path: "\(entry.path).")
              .read(Table.keys, into: &table)
            file.tables[name] = table
          }
        }
      ),
      (
        "dms",
        .other { value, file in
          try ConfigurationMapping(value.node, file: value.file, path: "\(value.path).")
            .read(DMSConfiguration.keys, into: &file.dms)
        }
      ),
    ]
  }
}

extension ConfigurationFile.Table {
  fileprivate static var keys: [(String, ConfigurationKey<Self>)] {
    [
      ("version_column", .text(\.versionColumn)),
      ("insert_only_columns", .list(\.insertOnlyColumns)),
      ("ignore_columns", .list(\.ignoreColumns)),
      ("key", .list(\.key)),
      ("staging_table", .text(\.stagingTable)),
      ("columns", .other { value, table in table.columns = try value.names() }),
      ("source_schema", .text(\.source.schema)),
      ("source_table", .text(\.source.table)),
      ("load_order", .integer(\.source.loadOrder)),
      ("parallel_load", .other { value, table in table.source.parallelLoad = try value.parallelLoad() }),
      ("lobs", .other { value, table in table.source.lobs = try value.lobSettings() }),
    ]
  }
}
