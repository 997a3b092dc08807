import DMS

/// The section `dms` of the configuration file.
///
/// ```yaml
/// dms:
///   source_schema: SHOP               # or {shop: SHOP, crm: CRM}, by production's schemas
///   pad: 1h
///   source_endpoint_arn: arn:aws:dms:eu-central-1:123456789012:endpoint:SOURCE
///   target_endpoint_arn: arn:aws:dms:eu-central-1:123456789012:endpoint:TARGET
///   replication_instance_arn: arn:aws:dms:eu-central-1:123456789012:rep:INSTANCE
///   region: eu-central-1
///   max_full_load_sub_tasks: 8
///   lobs: {limited_kilobytes: 32}
/// ```
/// Instead of an instance: `serverless: {max_capacity_units: 16, subnet_group: reload, security_groups: [sg-1]}`.
struct DMSConfiguration {
  var sourceSchemas = SourceSchemas()
  var pad: String?
  var windowForm: String?
  var sourceEndpointARN: String?
  var targetEndpointARN: String?
  var replicationInstanceARN: String?
  var serverless: ComputeConfig?
  var region: String?
  var profile: String?
  var endpointURL: String?
  var maxFullLoadSubTasks: Int?
  var commitRate: Int?
  var loadMaxFileKilobytes: Int?
  var lobs: SettingsPlan.LobHandling?

  static var keys: [(String, ConfigurationKey<Self>)] {
    [
      ("source_schema", .other { value, section in section.sourceSchemas = try SourceSchemas(value) }),
      ("pad", .text(\.pad)),
      ("window_form", .choice(\.windowForm, MappingPlan.WindowForm.allCases.map(\.rawValue))),
      ("source_endpoint_arn", .text(\.sourceEndpointARN)),
      ("target_endpoint_arn", .text(\.targetEndpointARN)),
      ("replication_instance_arn", .text(\.replicationInstanceARN)),
      ("serverless", .other { value, section in section.serverless = try value.computeConfig() }),
      ("region", .text(\.region)),
      ("profile", .text(\.profile)),
      ("endpoint_url", .text(\.endpointURL)),
      ("max_full_load_sub_tasks", .integer(\.maxFullLoadSubTasks)),
      ("commit_rate", .integer(\.commitRate)),
      ("load_max_file_kilobytes", .integer(\.loadMaxFileKilobytes)),
      ("lobs", .other { value, section in section.lobs = try value.lobHandling() }),
    ]
  }
}

extension SettingsPlan {
  /// The plan of a settings document; what the section does not say is as AWS usually has it.
  init(_ section: DMSConfiguration) {
    self.init()
    maxFullLoadSubTasks = section.maxFullLoadSubTasks ?? maxFullLoadSubTasks
    commitRate = section.commitRate ?? commitRate
    loadMaxFileSizeKilobytes = section.loadMaxFileKilobytes ?? loadMaxFileSizeKilobytes
    lobs = section.lobs ?? lobs
  }
}

/// What the configuration says about one table on the source: keys of `tables.NAME`.
struct SourceTable {
  var schema: String?
  var table: String?
  var loadOrder: Int?
  var parallelLoad: ParallelLoad?
  var lobs: LobSettings?
}

extension ConfigurationValue {
  /// `limited_kilobytes: 32`, or `chunk_kilobytes: 64` and `inline_kilobytes: 16`.
  private struct LobSizes {
    var limited: Int?
    var chunk: Int?
    var inline: Int?

    static var keys: [(String, ConfigurationKey<Self>)] {
      [
        ("limited_kilobytes", .integer(\.limited)), ("chunk_kilobytes", .integer(\.chunk)),
        ("inline_kilobytes", .integer(\.inline)),
      ]
    }
  }

  private struct Serverless {
    var maxCapacityUnits: Int?
    var minCapacityUnits: Int?
    var subnetGroup: String?
    var securityGroups: [String]?
    var availabilityZone: String?
    var isMultiAZ: Bool?
    var kmsKey: String?
    var dnsNameServers: [String]?
    var maintenanceWindow: String?

    static var keys: [(String, ConfigurationKey<Self>)] {
      [
        ("max_capacity_units", .integer(\.maxCapacityUnits)), ("min_capacity_units", .integer(\.minCapacityUnits)),
        ("subnet_group", .text(\.subnetGroup)), ("security_groups", .list(\.securityGroups)),
        ("availability_zone", .text(\.availabilityZone)), ("multi_az", .flag(\.isMultiAZ)),
        ("kms_key", .text(\.kmsKey)), ("dns_name_servers", .list(\.dnsNameServers)),
        ("maintenance_window", .text(\.maintenanceWindow)),
      ]
    }
  }

  private struct Ranges {
    var columns: [String]?
    var boundaries: [[String]]?

    static var keys: [(String, ConfigurationKey<Self>)] {
      [
        ("columns", .list(\.columns)),
        ("boundaries", .other { value, ranges in ranges.boundaries = try value.lists() }),
      ]
    }
  }

  private func mapping<Target>(_ keys: [(String, ConfigurationKey<Target>)], into target: Target) throws -> Target {
    var target = target
    try ConfigurationMapping(node, file: file, path: "\(path).").read(keys, into: &target)
    return target
  }

  private func lists() throws -> [[String]] {
    guard let sequence = node.sequence else { throw expected("a list of lists, as [[1000], [2000]]") }
    return try sequence.map { try ConfigurationValue(node: $0, file: file, path: path).strings() }
  }

  /// What AWS is to provision for a serverless replication.
  func computeConfig() throws -> ComputeConfig {
    let typed = try mapping(Serverless.keys, into: Serverless())
    guard let most = typed.maxCapacityUnits else {
      throw expected("keys with values, max_capacity_units among them, which says how much AWS may provision at most")
    }
    var compute = ComputeConfig(maxCapacityUnits: most)
    compute.minCapacityUnits = typed.minCapacityUnits
    compute.replicationSubnetGroup = typed.subnetGroup
    compute.securityGroups = typed.securityGroups
    compute.availabilityZone = typed.availabilityZone
    compute.isMultiAZ = typed.isMultiAZ
    compute.kmsKey = typed.kmsKey
    compute.dnsNameServers = typed.dnsNameServers?.joined(separator: ",")
    compute.maintenanceWindow = typed.maintenanceWindow
    if let fault = compute.fault { throw wrong("\(path) can't be used: \(fault).") }
    return compute
  }

  func lobHandling() throws -> SettingsPlan.LobHandling {
    if node.scalar?.string == "none" { return .none }
    let sizes = try mapping(LobSizes.keys, into: LobSizes())
    if let limited = sizes.limited, sizes.chunk == nil, sizes.inline == nil { return .limited(kilobytes: limited) }
    if let chunk = sizes.chunk, sizes.limited == nil {
      return .full(chunkKilobytes: chunk, inlineKilobytes: sizes.inline ?? 0)
    }
    throw expected("none, {limited_kilobytes: 32}, or {chunk_kilobytes: 64, inline_kilobytes: 16}")
  }

  func lobSettings() throws -> LobSettings {
    if node.scalar?.string == "unlimited" { return .unlimited }
    let sizes = try mapping(LobSizes.keys, into: LobSizes())
    guard let limited = sizes.limited, sizes.chunk == nil, sizes.inline == nil else {
      throw expected("unlimited, or {limited_kilobytes: 32}")
    }
    return .limited(kilobytes: limited)
  }

  func parallelLoad() throws -> ParallelLoad {
    switch node.scalar?.string {
    case "partitions-auto"?: return .partitionsAuto
    case "subpartitions-auto"?: return .subpartitionsAuto
    case .some: break
    case nil:
      let ranges = try mapping(Ranges.keys, into: Ranges())
      if let columns = ranges.columns, let boundaries = ranges.boundaries {
        return .ranges(columns: columns, boundaries: boundaries)
      }
    }
    throw expected("partitions-auto, subpartitions-auto, or {columns: [id], boundaries: [[1000], [2000]]}")
  }
}
