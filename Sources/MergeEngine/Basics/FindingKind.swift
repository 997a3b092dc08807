extension Finding {
  /// What a finding is about, for programs to decide by; its name is what the JSON has.
  ///
  /// No enumeration, so that a new kind breaks nobody's `switch`.
  public struct Kind: RawRepresentable, Sendable, Codable, Hashable, CustomStringConvertible {
    /// As `row_security`.
    public let rawValue: String

    /// A kind by its name, perhaps one of a later version.
    public init(rawValue: String) { self.rawValue = rawValue }

    private init(_ rawValue: String) { self.rawValue = rawValue }

    /// As `row_security`.
    public var description: String { rawValue }
  }
}

// The tables and their columns.
extension Finding.Kind {
  /// A schema, table or run that was named, or is needed, is not there.
  public static let notFound = Self("not_found")
  /// A table has no usable key or version column, or the columns of both sides don't go together.
  public static let tableShape = Self("table_shape")
  /// Staging can't be read as production's types.
  public static let unreadableTypes = Self("unreadable_types")
  /// Types differ, and values may be lost or refused on the way.
  public static let typeConversion = Self("type_conversion")
  /// The cast of a key may change it.
  public static let keyConversion = Self("key_conversion")
  /// Times without a zone are read in a zone that is not the database's.
  public static let timeZone = Self("time_zone")
  /// Text is read as a date in a form that the database has been set to.
  public static let dateStyle = Self("date_style")
  /// An index holds the version column, so that updates cost more.
  public static let versionIndexed = Self("version_indexed")
  /// A trigger sets the version column.
  public static let versionTrigger = Self("version_trigger")
  /// A trigger changes, redirects or leaves out rows.
  public static let rowTrigger = Self("row_trigger")
  /// Rows may be refused that a dry run does not count.
  public static let notForeseen = Self("not_foreseen")
  /// A column that production numbers itself keeps its value when its row is updated.
  public static let identityColumn = Self("identity_column")
  /// A foreign key takes from rows what they refer to.
  public static let forgetfulReference = Self("forgetful_reference")
  /// A foreign key is switched off.
  public static let disabledReference = Self("disabled_reference")
  /// A rule rewrites statements on a table.
  public static let rewriteRule = Self("rewrite_rule")
  /// Row-level security hides or refuses rows.
  public static let rowSecurity = Self("row_security")
  /// An event trigger refuses temporary tables.
  public static let eventTrigger = Self("event_trigger")
  /// A crash of the server empties production, and progress would not know.
  public static let unlogged = Self("unlogged")
  /// The server refuses a statement of the merge when it plans it.
  public static let refusedStatement = Self("refused_statement")
}

// The role, the session and the server.
extension Finding.Kind {
  /// The role lacks a right.
  public static let missingRight = Self("missing_right")
  /// The session can't write.
  public static let readOnlySession = Self("read_only_session")
  /// The role is a superuser, and other people's triggers would run as one.
  public static let superuser = Self("superuser")
  /// The session belongs to a pooler.
  public static let pooledSession = Self("pooled_session")
  /// Foreign keys and triggers are switched off for the role.
  public static let replicationRole = Self("replication_role")
  /// Commits wait for a standby that is not there, or the lag of one can't be known.
  public static let standby = Self("standby")
  /// Somebody else holds a lock.
  public static let lockHeld = Self("lock_held")
  /// The server's lock table is too small.
  public static let lockTable = Self("lock_table")
  /// The question that is to pause the run can't be asked.
  public static let pauseCondition = Self("pause_condition")
}

// Staging and the runs.
extension Finding.Kind {
  /// Another session writes to staging.
  public static let stagingWriter = Self("staging_writer")
  /// Keeping the status column costs more than it should.
  public static let statusColumn = Self("status_column")
  /// Staging says NULL of a column in which production has values.
  public static let emptyColumn = Self("empty_column")
  /// Rows lie outside of the window.
  public static let outsideWindow = Self("outside_window")
  /// Rows stand refused by earlier runs.
  public static let standingRefusals = Self("standing_refusals")
  /// Rows that were merged are read a second time.
  public static let readAgain = Self("read_again")
  /// Production holds nothing of what was merged into it.
  public static let productionEmpty = Self("production_empty")
  /// Some tables could be merged without the others.
  public static let mergeableAlone = Self("mergeable_alone")
  /// The admin schema is missing or incomplete.
  public static let adminSchema = Self("admin_schema")
  /// Before-images can't be kept, or are not there.
  public static let beforeImages = Self("before_images")
  /// The run's state does not allow it.
  public static let runState = Self("run_state")
  /// Something of the run's end.
  public static let runEnd = Self("run_end")
  /// The run that is looked at went by other options.
  public static let otherOptions = Self("other_options")
  /// Rows were not compared.
  public static let notCompared = Self("not_compared")
  /// The file of differences can't be used.
  public static let differenceFile = Self("difference_file")
  /// Extra rows may not be deleted.
  public static let extraRows = Self("extra_rows")
  /// A snapshot is damaged, or does not fit.
  public static let snapshot = Self("snapshot")
  /// A file or folder can't be read or written.
  public static let file = Self("file")
  /// None of the others.
  public static let other = Self("other")
}
