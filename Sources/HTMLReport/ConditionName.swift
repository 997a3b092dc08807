/// The names that PostgreSQL gives to the error codes by which rows are refused most.
///
/// Source: <https://www.postgresql.org/docs/current/errcodes-appendix.html>
enum ConditionName {
  static func of(_ sqlState: String) -> String? { names[sqlState] }

  private static let names = [
    "22001": "string_data_right_truncation",
    "22003": "numeric_value_out_of_range",
    "22007": "invalid_datetime_format",
    "22008": "datetime_field_overflow",
    "22021": "character_not_in_repertoire",
    "22P02": "invalid_text_representation",
    "23502": "not_null_violation",
    "23503": "foreign_key_violation",
    "23505": "unique_violation",
    "23514": "check_violation",
    "23P01": "exclusion_violation",
    "54000": "program_limit_exceeded",
    "P0001": "raise_exception",
  ]
}
