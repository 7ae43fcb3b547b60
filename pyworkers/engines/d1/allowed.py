"""What of SQLite a database's SQL may use: functions, pragmas and kinds of virtual tables.

Source: recorded, own/d1, own.d1.auth.* and own.d1.vtabs; workerd src/workerd/util/sqlite.c++
"""

from __future__ import annotations

from typing import Final

_FUNCTIONS: Final = """
    -> ->> abs changes char coalesce concat concat_ws format glob hex ifnull iif instr last_insert_rowid length like
    likelihood likely lower ltrim max min nullif octet_length printf quote random randomblob replace round rtrim sign
    substr substring total_changes trim typeof unhex unicode unlikely upper zeroblob
    current_date current_time current_timestamp date datetime julianday strftime time timediff unixepoch
    avg count group_concat string_agg sum total
    cume_dist dense_rank first_value lag last_value lead nth_value ntile percent_rank rank row_number
    acos acosh asin asinh atan atan2 atanh ceil cos cosh degrees exp floor ln log log2 mod pi pow radians sin sinh sqrt
    tan tanh trunc
    json json_array json_array_length json_each json_extract json_group_array json_group_object json_insert json_object
    json_patch json_quote json_remove json_replace json_set json_tree json_type json_valid
    jsonb jsonb_array jsonb_extract jsonb_group_array jsonb_group_object jsonb_insert jsonb_object jsonb_patch
    jsonb_remove jsonb_replace jsonb_set
    bm25 highlight match snippet
    load_extension
"""
_REFUSED_FUNCTIONS: Final = """
    ceiling fts5 fts5_get_locale fts5_locale fts5_source_id json_error_position json_pretty log10 power
    sqlite_compileoption_get sqlite_compileoption_used sqlite_log sqlite_source_id sqlite_version subtype
"""
# Calling `load_extension` fails all the same: it is switched off.
FUNCTIONS: Final = frozenset(_FUNCTIONS.split())
# Functions one call of which may take long, however few of SQLite's instructions the statement has.
_LENGTHY_FUNCTIONS: Final = """
    format glob group_concat hex instr json_group_array json_group_object jsonb_group_array jsonb_group_object
    like printf quote randomblob replace string_agg unhex zeroblob bm25 highlight match snippet load_extension
"""
LENGTHY_FUNCTIONS: Final = frozenset(_LENGTHY_FUNCTIONS.split())
# It goes through a whole table in one instruction, where nothing else is asked of that.
COUNT: Final = "count"
# Functions that the platform's SQLite has and SQL must not call; it has no others.
REFUSED_FUNCTIONS: Final = frozenset(_REFUSED_FUNCTIONS.split())
# What ALTER TABLE calls; SQL of a user cannot.
INTERNAL_FUNCTIONS: Final = ("sqlite_rename_", "sqlite_drop_", "sqlite_fail", "sqlite_add_", "sqlite_find_")

FLAGS: Final = frozenset({"1", "0", "true", "false", "yes", "no", "on", "off"})
FLAG_PRAGMAS: Final = frozenset(
    {
        "case_sensitive_like",
        "defer_foreign_keys",
        "foreign_keys",
        "ignore_check_constraints",
        "legacy_alter_table",
        "recursive_triggers",
        "reverse_unordered_selects",
    }
)
OBJECT_PRAGMAS: Final = frozenset(
    {"foreign_key_list", "index_info", "index_list", "index_xinfo", "table_info", "table_xinfo"}
)
OPTIONAL_OBJECT_PRAGMAS: Final = frozenset({"foreign_key_check", "optimize", "quick_check", "table_list"})

VIRTUAL_TABLES: Final = frozenset({"fts5", "fts5vocab"})
# Tables that SQLite may be built with and the platform's is not.
ABSENT_TABLES: Final = frozenset({"dbstat"})
