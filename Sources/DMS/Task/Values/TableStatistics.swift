/// What a task did with one table.
public struct TableStatistics: Codable, Hashable, Sendable {
  /// The schema; AWS does not say whether the source's or the target's.
  public var schemaName: String
  /// The table, in either spelling.
  public var tableName: String
  /// Rows loaded.
  public var fullLoadRows: Int?
  /// Rows left out by a condition; only some targets count them.
  public var conditionFailedRows: Int?
  /// Rows left out by an error; only some targets count them.
  public var errorRows: Int?
  /// When its load began.
  public var fullLoadStartTime: AWSTimestamp?
  /// When its load ended.
  public var fullLoadEndTime: AWSTimestamp?
  /// When these numbers were made.
  public var lastUpdateTime: AWSTimestamp?
  /// `Table completed`, or any other word for something else.
  public var tableState: String?
  /// What validation says.
  public var validationState: String?
  /// More words about that.
  public var validationStateDetails: String?
  /// Rows that differ.
  public var validationFailedRecords: Int?
  /// Rows that are still to be compared.
  public var validationPendingRecords: Int?
  /// Rows that can't be compared.
  public var validationSuspendedRecords: Int?

  /// The one state that means that the table was loaded.
  public static let completedState = "Table completed"

  enum CodingKeys: String, CodingKey {
    case schemaName = "SchemaName"
    case tableName = "TableName"
    case fullLoadRows = "FullLoadRows"
    case conditionFailedRows = "FullLoadCondtnlChkFailedRows"
    case errorRows = "FullLoadErrorRows"
    case fullLoadStartTime = "FullLoadStartTime"
    case fullLoadEndTime = "FullLoadEndTime"
    case lastUpdateTime = "LastUpdateTime"
    case tableState = "TableState"
    case validationState = "ValidationState"
    case validationStateDetails = "ValidationStateDetails"
    case validationFailedRecords = "ValidationFailedRecords"
    case validationPendingRecords = "ValidationPendingRecords"
    case validationSuspendedRecords = "ValidationSuspendedRecords"
  }

  /// Makes statistics.
  public init(schemaName: String, tableName: String, tableState: String? = nil, fullLoadRows: Int? = nil) {
    self.schemaName = schemaName
    self.tableName = tableName
    self.tableState = tableState
    self.fullLoadRows = fullLoadRows
  }
}
