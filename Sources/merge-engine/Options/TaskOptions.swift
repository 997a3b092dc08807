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
    help: ArgumentHelp("Seconds between two queries to AWS about the load (default: 15).", valueName: "seconds")
  )
  var poll: Double?

  @Option(
    help: ArgumentHelp(
      "Give up on a task that is not running this long after it was started (default: 1800, serverless 7200).",
      valueName: "seconds"
    )
  )
  var startTimeout: Double?

  @Option(help: ArgumentHelp("Give up on a load that takes longer than this (default: never).", valueName: "seconds"))
  var loadTimeout: Double?

  /// The endpoints, and the instance or what AWS is to provision instead; flags before the configuration file.
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
      runner: try runner(section)
    )
  }

  private func runner(_ section: DMSConfiguration) throws -> TaskRunner {
    if let replicationInstanceARN { return .instance(arn: replicationInstanceARN) }
    switch (section.replicationInstanceARN, section.serverless) {
    case (let arn?, nil): return .instance(arn: arn)
    case (nil, let compute?): return .serverless(compute)
    case (.some, .some):
      throw ConfigurationError(
        description:
          "dms.replication_instance_arn and dms.serverless are both in the configuration file, and a load runs on only one of them: "
          + "leave one out."
      )
    case (nil, nil):
      throw MergeFailure.usage(
        "--replication-instance-arn is missing. Give it, or dms.replication_instance_arn in the configuration file, or "
          + "dms.serverless there for DMS Serverless."
      )
    }
  }

  /// The task's documents: generated, or the user's own.
  func documents(_ planner: MappingPlanner, _ tables: [String], window: TimeWindow) throws -> TaskDocuments {
    let plan = try planner.plan(tables, window: window)
    var documents = try generated(plan, of: tables, SettingsPlan(planner.configuration.dms))
    documents.mappings = try mappings.map(Self.text) ?? documents.mappings
    documents.settings = try settings.map(Self.text) ?? documents.settings
    return documents
  }

  /// Those of a task that loads single rows; the settings may be the user's own.
  func documents(_ planner: MappingPlanner, rows: KeyPieces.Keys) throws -> TaskDocuments {
    let plan = try planner.plan(rows: rows)
    var documents = try generated(plan, of: rows.keys.sorted(), SettingsPlan(planner.configuration.dms))
    documents.settings = try settings.map(Self.text) ?? documents.settings
    return documents
  }

  /// Those of a task that compares Oracle and production, and loads nothing.
  func validationDocuments(_ planner: MappingPlanner, _ tables: [String], window: TimeWindow) throws -> TaskDocuments {
    var settings = SettingsPlan(planner.configuration.dms)
    settings.onlyValidates = true
    var plan = try planner.plan(tables, window: window)
    plan.padding = .none
    plan.leavesOutEnd = true
    return try generated(plan, of: tables, settings)
  }

  /// - Parameter names: what a merge calls the plan's tables, in their order.
  private func generated(_ plan: MappingPlan, of names: [String], _ settings: SettingsPlan) throws -> TaskDocuments {
    var sources: [String: (schema: String, table: String)] = [:]
    for (name, table) in zip(names, plan.tables) {
      let schema = try OracleName.inDictionary(table.schema ?? plan.sourceSchema)
      sources[name] = (schema, try OracleName.inDictionary(table.name))
    }
    return TaskDocuments(
      mappings: try plan.mappings().document(),
      settings: try OrderedJSONEncoder().document(settings.settings()),
      sources: sources
    )
  }

  /// Provisioning a serverless replication takes up to an hour. Arbitrary: twice that.
  private static let serverlessStartSeconds = 7200.0

  /// Sets the limits that were typed.
  func setLimits(_ setting: inout ReloadSetting, _ section: DMSConfiguration) throws {
    func duration(_ seconds: Double, _ flag: String) throws -> Duration {
      guard seconds > 0, seconds <= 1e7 else {
        throw MergeFailure.usage("\(flag) is \(seconds); it must be more than 0 seconds.")
      }
      return .seconds(seconds)
    }
    if let poll { setting.pollInterval = try duration(poll, "--poll") }
    if section.serverless != nil { setting.startLimit = .seconds(Self.serverlessStartSeconds) }
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
