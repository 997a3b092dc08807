/// The keys of an Oracle source endpoint's own settings, as the API spells them.
///
/// From the shape `OracleSettings` of the API's model (2016-01-01); the user guide spells some of them otherwise.
enum OracleEndpointVocabulary {
  /// Keys whose value is true or false.
  static let flags: Set<String> = [
    "AccessAlternateDirectly", "AddSupplementalLogging", "AllowSelectNestedTables", "ArchivedLogsOnly",
    "ConvertTimestampWithZoneToUTC", "DirectPathNoLog", "DirectPathParallelLoad", "EnableHomogenousTablespace",
    "FailTasksOnLobTruncation", "ReadTableSpaceName", "ReplacePathPrefix", "TrimSpaceInChar",
    "UseAlternateFolderForOnline",
    "UseBFile", "UseDirectPathFullLoad", "UseLogminerReader",
  ]

  /// Keys whose value is a number.
  static let numbers: Set<String> = [
    "AdditionalArchivedLogDestId", "ArchivedLogDestId", "NumberDatatypeScale", "OpenTransactionWindow",
    "ParallelAsmReadThreads", "Port", "ReadAheadBlocks", "RetryInterval", "StandbyDelayTime",
  ]

  /// Keys whose value is a string.
  static let texts: Set<String> = [
    "AsmPassword", "AsmServer", "AsmUser", "AuthenticationMethod", "CharLengthSemantics", "DatabaseName",
    "OraclePathPrefix", "Password", "SecretsManagerAccessRoleArn", "SecretsManagerOracleAsmAccessRoleArn",
    "SecretsManagerOracleAsmSecretId", "SecretsManagerSecretId", "SecurityDbEncryption", "SecurityDbEncryptionName",
    "ServerName", "SpatialDataOptionToGeoJsonFunctionName", "UsePathPrefix", "Username",
  ]

  /// Keys whose value is something else.
  static let others: Set<String> = ["ExtraArchivedLogDestIds"]

  static let keys: Set<String> = flags.union(numbers).union(texts).union(others)

  /// Why the endpoint would refuse the value, or `nil`.
  static func fault(of key: String, _ node: JSONNode) -> String? {
    if flags.contains(key), node.bool == nil { return "it must be true or false" }
    if numbers.contains(key), node.integer == nil { return "it must be a whole number" }
    if texts.contains(key), node.string == nil { return "it must be a string, but this is \(node.kindInWords)" }
    if key == "CharLengthSemantics", !["default", "char", "byte"].contains(node.string ?? "") {
      return "it must be \"default\", \"char\" or \"byte\""
    }
    return nil
  }
}
