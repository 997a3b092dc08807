extension TablePlan {
  /// How production is written.
  struct Writing: Sendable {
    /// Staging rows get their status after the write.
    var marksRows = false
    /// How rows are compared whose versions are equal; nil when they are left alone.
    var ties: RowComparison?
    /// Who may change or redirect a row on its way: then only the key that comes back says what became of it.
    var triggers = RowTriggers.none
    /// Where overwritten rows and inserted keys are kept; nil when they are not.
    var images: BeforeImageTable?
    /// Production's columns that an UPDATE or INSERT can set, but the key, whether staging has them or not.
    var restorableColumns: [CatalogColumn] = []
  }
}
