/// Capacity and network of a DMS Serverless replication: the member `ComputeConfig` of `CreateReplicationConfig`.
public struct ComputeConfig: Codable, Hashable, Sendable {
  /// The most capacity units that may be provisioned; one unit is 2 GB of memory.
  public var maxCapacityUnits: Int
  /// The fewest; nil for AWS's own choice, which is 1.
  public var minCapacityUnits: Int?
  /// The subnet group, whose subnets must reach both databases.
  public var replicationSubnetGroup: String?
  /// Ids of security groups of the same VPC.
  public var securityGroups: [String]?
  /// The availability zone; not together with ``isMultiAZ``.
  public var availabilityZone: String?
  /// Whether a standby waits in another availability zone.
  public var isMultiAZ: Bool?
  /// The key that data are encrypted with.
  public var kmsKey: String?
  /// Up to four addresses of name servers, with commas between them.
  public var dnsNameServers: String?
  /// When AWS may maintain it: `sun:05:00-sun:05:30`, UTC.
  public var maintenanceWindow: String?

  /// The numbers of capacity units that there are.
  public static let capacityUnits = [1, 2, 4, 8, 16, 32, 64, 128, 192, 256, 384]

  enum CodingKeys: String, CodingKey, CaseIterable {
    case maxCapacityUnits = "MaxCapacityUnits"
    case minCapacityUnits = "MinCapacityUnits"
    case replicationSubnetGroup = "ReplicationSubnetGroupId"
    case securityGroups = "VpcSecurityGroupIds"
    case availabilityZone = "AvailabilityZone"
    case isMultiAZ = "MultiAZ"
    case kmsKey = "KmsKeyId"
    case dnsNameServers = "DnsNameServers"
    case maintenanceWindow = "PreferredMaintenanceWindow"
  }

  /// Makes a request for at most so many units, and leaves the rest to AWS.
  public init(maxCapacityUnits: Int) { self.maxCapacityUnits = maxCapacityUnits }

  /// What AWS would refuse; nil if it would take it.
  public var fault: String? {
    let units = Self.capacityUnits.map(String.init).joined(separator: ", ")
    for (name, value) in [("most", maxCapacityUnits), ("fewest", minCapacityUnits ?? 1)]
    where !Self.capacityUnits.contains(value) {
      return "the \(name) capacity units are \(value), and AWS has \(units)"
    }
    if let minCapacityUnits, minCapacityUnits > maxCapacityUnits {
      return "the minimum of capacity units, \(minCapacityUnits), is more than the maximum, \(maxCapacityUnits)"
    }
    if availabilityZone != nil, isMultiAZ == true {
      return "one availability zone is named, but several are asked for"
    }
    return nil
  }
}
