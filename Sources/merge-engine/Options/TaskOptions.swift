import ArgumentParser
import DMS
import Foundation
import MergeEngine
import Reload

/// What is said about the task of a reload.
struct TaskOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The Oracle endpoint.", valueName: "arn"))
  var sourceEndpointARN: String?

  @Option(help: ArgumentHelp("The PostgreSQL endpoint.", valueName: "arn"))
  var targetEndpointARN: String?

  @Option(help: ArgumentHelp("The replication instance that the task runs on.", valueName: "arn"))
  var replicationInstanceARN: String?

  @Option(help: ArgumentHelp("Table mappings of your own instead of generated ones.", valueName: "file"))
  var mappings: String?

  @Option(help: ArgumentHelp("Task settings of your own instead of generated ones.", valueName: "file"))
  var settings: String?

  @Flag(help: "Start the task even if dms lint finds errors in its documents.")
  var noLint = false

  @Option(
    help: ArgumentHelp("Seconds between two questions to AWS about the load (default: 15).", valueName: "seconds")
  )
  var poll: Double?

  @Option(
    help: ArgumentHelp(
      "Give up on a task that is not running this long after it was started (default: 1800).",
      valueName: "seconds"
    )
  )
  var startTimeout: Double?

  @Option(help: ArgumentHelp("Give up on a load that takes longer than this (default: never).", valueName: "seconds"))
  var loadTimeout: Double?

  /// The three ARNs, flags before the configuration file.
  func route(_ section: DMSConfiguration) throws -> TaskRoute {
    func required(_ typed: String?, _ configured: String?, flag: String, key: String) throws -> String {
      guard let value = typed ?? configured else {
        throw MergeFailure.usage("\(flag) is missing. Give it, or dms.\(key) in the configuration file.")
      }
      return value
    }
    return TaskRoute(
      sourceEndpointARN: try required(
        sourceEndpointARN,
        section.sourceEndpointARN,
        flag: "--source-endpoint-arn",
        key: "source_endpoint_arn"
      ),
      targetEndpointARN: try required(
        targetEndpointARN,
        section.targetEndpointARN,
        flag: "--target-endpoint-arn",
        key: "target_endpoint_arn"
      ),
      replicationInstanceARN: try required(
        replicationInstanceARN,
        section.replicationInstanceARN,
        flag: "--replication-instance-arn",
        key: "replication_instance_arn"
      )
    )
  }

  /// The task's documents: generated, or the user's own.
  func documents(_ planner: MappingPlanner, _ tables: [String], window: TimeWindow) throws -> TaskDocuments {
    let plan = try planner.plan(tables, window: window)
    var sources: [String: (schema: String, table: String)] = [:]
    for table in plan.tables {
      let schema = try OracleName.inDictionary(table.schema ?? plan.sourceSchema)
      sources[table.targetName ?? table.name] = (schema, try OracleName.inDictionary(table.name))
    }
    return TaskDocuments(
      mappings: try mappings.map(Self.text) ?? plan.mappings().document(),
      settings: try settings.map(Self.text)
        ?? OrderedJSONEncoder().document(SettingsPlan(planner.configuration.dms).settings()),
      sources: sources
    )
  }

  /// Sets the limits that were typed.
  func setLimits(_ setting: inout ReloadSetting) throws {
    func duration(_ seconds: Double, _ flag: String) throws -> Duration {
      guard seconds > 0, seconds <= 1e7 else {
        throw MergeFailure.usage("\(flag) is \(seconds); it must be more than 0 seconds.")
      }
      return .seconds(seconds)
    }
    if let poll { setting.pollInterval = try duration(poll, "--poll") }
    if let startTimeout { setting.startLimit = try duration(startTimeout, "--start-timeout") }
    if let loadTimeout { setting.loadLimit = try duration(loadTimeout, "--load-timeout") }
  }

  private static func text(_ file: String) throws -> String {
    guard let data = FileManager.default.contents(atPath: file) else {
      throw MergeFailure.usage("\(file): the file can't be read.")
    }
    return String(decoding: data, as: UTF8.self)
  }
}
