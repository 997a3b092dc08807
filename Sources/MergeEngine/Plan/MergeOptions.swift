import Foundation
import Libpq

/// What a merge is asked to do; the names are those of the command line and of the configuration file.
public struct MergeOptions: Sendable, Codable {
  /// Where the tables are.
  public var schemas = Schemas()
  /// The tables to merge; nil for every production table that has a staging table of the same name.
  public var tables: [String]?
  /// The most staging rows in one batch.
  public var batchRows = 50_000
  /// Connections that merge batches in parallel; nil for as many as are worth it: two at first, ``mostWorkers`` at most.
  public var workers: Int?
  /// Everything in one transaction, on one worker.
  public var atomic = false
  /// Whether staging rows are marked as PROCESSED.
  public var mark = Mark.all
  /// What a production row without a version means.
  public var nulls = NullRule.productionLoses
  /// What happens to a staging row that is as new as production's.
  public var ties = TieRule.skip
  /// The first version to merge, in the type of the version column; nil for no bound.
  public var from: String?
  /// The first version that is no longer merged; nil for no bound.
  public var to: String?
  /// How long a statement may wait for a lock; 0 for no limit.
  public var lockTimeoutMilliseconds = 10_000
  /// How long a batch may hold row locks on production; batches get smaller to stay within it.
  public var maxLockMilliseconds = 500
  /// How long a statement may take; 0 for no limit.
  public var statementTimeoutMilliseconds = 600_000
  /// How long the engine keeps trying to restore a lost connection.
  public var reconnectLimitSeconds = 60
  /// The run stops when more rows than this are refused; nil for no limit.
  public var maxErrors: Int?
  /// The most staging rows read per second, by all workers together; nil for no limit.
  public var maxRowsPerSecond: Int?
  /// The run pauses while a standby is further behind than this; nil for no limit.
  public var maxReplicaLagSeconds: Int?
  /// The standby to look at, by its application_name; nil for all.
  public var replica: String?
  /// A query that returns a boolean: no batch is started while it returns true; nil for none.
  public var pauseWhile: String?
  /// No batch is started outside these hours; nil for the whole day.
  public var window: DailyWindow?
  /// The zone in which zone-less times are read where the other side has one.
  public var timeZone = "UTC"
  /// The zone stands in the configuration file, which a mistake is then in.
  package var timeZoneIsConfigured = false
  /// Keep overwritten rows, and the keys of inserted ones, so that the run can be rolled back.
  public var beforeImages = false
  /// Read everything in staging again, including what is already merged.
  public var again = false
  /// Truncate staging tables whose rows are all merged.
  public var cleanup = false
  /// What differs from table to table.
  public var columns = ColumnRules()
  /// Notes of the program that starts the run; recorded with the parameters.
  public var annotations: [String: String] = [:]
  /// The run that this merge goes on with; nil to open a new one.
  package var continuedRunID: Int?
  /// The snapshot that is merged instead of staging; set by ``MergeRun``.
  package internal(set) var snapshot: SnapshotReference?
  /// The file of differences that is applied, and how; set by ``Repair``.
  package internal(set) var repair: RepairReference?
  /// A replay reads the whole snapshot, whatever an earlier one has left done; nil for no, so that the parameters of other
  /// runs don't speak of it.
  package var startsOver: Bool?

  /// Every shard is merged on its own node; nil for no, so that the parameters of other runs don't speak of it.
  package var onNodes: Bool?
  /// The shards that the tables are, by production's name with its schema, on the node that has them; nil for ordinary tables.
  var shards: [String: ShardPair]?

  /// The defaults of the contract.
  public init() {}

  /// Rows to a batch at most; with a limit of rows in a second no more than that at once.
  var rowsPerBatch: Int { min(batchRows, maxRowsPerSecond ?? .max) }

  /// How many connections carry batches; where that is to be found out, in the beginning.
  var workerCount: Int { atomic ? 1 : workers ?? Self.firstWorkers }
  /// Whether the run is to find out how many workers pay.
  var growsWorkers: Bool { workers == nil && !atomic }
  /// How many connections may come to carry batches.
  var workerCountAtMost: Int { growsWorkers ? Self.mostWorkers : workerCount }

  /// Where nobody says how many workers there are to be, a run begins with so many.
  static let firstWorkers = 2
  /// Where nobody says how many workers there are to be, there are never more.
  public static let mostWorkers = 16

  /// The parameters of a run as they are recorded in `merge_summary`.
  func json() throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    return String(decoding: try encoder.encode(self), as: UTF8.self)
  }

  /// Whether staging rows are marked.
  public enum Mark: String, Sendable, Codable, CaseIterable {
    /// PROCESSED or ERROR, in the transaction that merges the row.
    case all
    /// Not at all: for tables that are truncated right after.
    case none
  }

  /// What happens to a staging row whose version equals production's.
  public enum TieRule: String, Sendable, Codable, CaseIterable {
    /// It is unchanged, without a look at its other columns.
    case skip
    /// Its columns are compared with production's, and production is updated where they differ.
    case compare
  }

  /// What a production row without a version means to a staging row that has one.
  public enum NullRule: String, Sendable, Codable, CaseIterable {
    /// The staging row wins.
    case productionLoses = "production-loses"
    /// Unknown is not older: the row is left unchanged, as the guide's `s.updated_at > p.updated_at` does.
    case strict
  }
}
