# -*- coding: utf-8 -*-
# Copyright: (c) 2026, Holdfast contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The catalogue queries behind the schema digest: one for each kind of object.

Each returns an identity and then columns that together are a definition, which is the same before a dump and after its restore. Objects
of extensions are left out (the extension and its version stand for them), and so is everything that a
dump does not carry, such as object ids, invalid indexes and the order of columns in inheriting tables.
"""

from __future__ import annotations

_USER_NAMESPACE = "n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'"


def _own(catalogue: str, alias: str) -> str:
    """The condition that an object does not belong to an extension."""
    return (
        f"NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_catalog.{catalogue}'::regclass"
        f" AND d.objid = {alias}.oid AND d.deptype = 'e')"
    )


def _grants(acl: str, default_kind: str, owner: str) -> str:
    """Grants as sorted text. A missing list means the defaults, so both forms of 'default' are the same."""
    return (
        "(SELECT string_agg(concat_ws(':', coalesce(nullif(pg_get_userbyid(x.grantee), 'unknown (OID=0)'), 'PUBLIC'),"
        " x.privilege_type, x.is_grantable), ',' ORDER BY pg_get_userbyid(x.grantee), x.privilege_type, x.is_grantable)"
        f" FROM aclexplode(coalesce({acl}, acldefault('{default_kind}', {owner}))) x)"
    )


#: Servers since the minor releases of November 2026 keep a mark of their own there (pg_attver), which no dump carries.
_COLUMN_OPTIONS = (
    "(SELECT array_agg(o.option ORDER BY o.place) FROM unnest(a.attoptions) WITH ORDINALITY o (option, place)"
    " WHERE o.option NOT LIKE 'pg\\_%')::text"
)
_RELATION = (
    f"FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {_USER_NAMESPACE} AND {_own('pg_class', 'c')}"
)
_REL_NAME = "format('%I.%I', n.nspname, c.relname)"
_INHERITS = "EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid) AND NOT c.relispartition"

QUERIES: dict[str, str] = {
    "schema": f"""
        SELECT format('%I', n.nspname), pg_get_userbyid(n.nspowner), {_grants("n.nspacl", "n", "n.nspowner")}
        FROM pg_namespace n WHERE {_USER_NAMESPACE} AND {_own("pg_namespace", "n")}""",
    "relation": f"""
        SELECT {_REL_NAME}, c.relkind, c.relpersistence, pg_get_userbyid(c.relowner), c.relrowsecurity, c.relforcerowsecurity,
            c.relreplident, c.reloptions::text, (SELECT amname FROM pg_am WHERE oid = c.relam),
            {_grants("c.relacl", "r", "c.relowner")},
            CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END, pg_get_expr(c.relpartbound, c.oid),
            (SELECT string_agg(i.inhparent::regclass::text, ',' ORDER BY i.inhseqno) FROM pg_inherits i WHERE i.inhrelid = c.oid),
            CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END
        {_RELATION} AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c')""",
    "column": f"""
        SELECT {_REL_NAME} || '.' || quote_ident(a.attname),
            CASE WHEN {_INHERITS} THEN NULL ELSE (SELECT count(*) FROM pg_attribute b
                WHERE b.attrelid = a.attrelid AND b.attnum > 0 AND b.attnum <= a.attnum AND NOT b.attisdropped) END,
            format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated, a.attstorage, a.attcompression,
            (SELECT format('%I.%I', cn.nspname, co.collname) FROM pg_collation co JOIN pg_namespace cn ON cn.oid = co.collnamespace
                WHERE co.oid = a.attcollation), pg_get_expr(ad.adbin, ad.adrelid), {_COLUMN_OPTIONS},
            CASE WHEN a.attacl IS NOT NULL THEN {_grants("a.attacl", "c", "c.relowner")} END
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_attrdef ad ON ad.adrelid = a.attrelid AND ad.adnum = a.attnum
        WHERE {_USER_NAMESPACE} AND {_own("pg_class", "c")} AND a.attnum > 0 AND NOT a.attisdropped
        AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c')""",
    "constraint": f"""
        SELECT concat_ws('.', CASE WHEN c.oid IS NULL THEN t.oid::regtype::text ELSE {_REL_NAME} END, quote_ident(k.conname)),
            pg_get_constraintdef(k.oid), k.convalidated
        FROM pg_constraint k LEFT JOIN pg_class c ON c.oid = k.conrelid LEFT JOIN pg_type t ON t.oid = k.contypid
        JOIN pg_namespace n ON n.oid = k.connamespace
        WHERE {_USER_NAMESPACE} AND k.contype IN ('c', 'p', 'u', 'f', 'x')
        AND (c.oid IS NULL OR {_own("pg_class", "c")}) AND (t.oid IS NULL OR {_own("pg_type", "t")})""",
    "index": f"""
        SELECT {_REL_NAME}, pg_get_indexdef(c.oid), x.indisclustered, x.indisreplident, c.reloptions::text
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_index x ON x.indexrelid = c.oid
        WHERE {_USER_NAMESPACE} AND {_own("pg_class", "c")} AND (x.indisvalid OR c.relkind = 'I')
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = x.indrelid AND d.deptype = 'e')""",
    "sequence": f"""
        SELECT {_REL_NAME}, format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmax, s.seqmin, s.seqcache, s.seqcycle,
            pg_get_userbyid(c.relowner), {_grants("c.relacl", "s", "c.relowner")},
            (SELECT d.refobjid::regclass::text || '.' || quote_ident(a.attname) FROM pg_depend d
                JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
                WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')
                AND d.refclassid = 'pg_class'::regclass)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_sequence s ON s.seqrelid = c.oid
        WHERE {_USER_NAMESPACE} AND {_own("pg_class", "c")}""",
    "trigger": f"""
        SELECT {_REL_NAME} || '.' || quote_ident(t.tgname), pg_get_triggerdef(t.oid), t.tgenabled
        FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE {_USER_NAMESPACE} AND {_own("pg_class", "c")} AND NOT t.tgisinternal AND t.tgparentid = 0""",
    "rule": f"""
        SELECT {_REL_NAME} || '.' || quote_ident(r.rulename), pg_get_ruledef(r.oid), r.ev_enabled
        FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE {_USER_NAMESPACE} AND {_own("pg_class", "c")} AND r.rulename <> '_RETURN'""",
    "policy": f"""
        SELECT {_REL_NAME} || '.' || quote_ident(p.polname), p.polcmd, p.polpermissive, pg_get_expr(p.polqual, p.polrelid),
            pg_get_expr(p.polwithcheck, p.polrelid),
            (SELECT string_agg(CASE WHEN o = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(o) END, ',' ORDER BY pg_get_userbyid(o))
                FROM unnest(p.polroles) o)
        FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {_USER_NAMESPACE}""",
    "function": f"""
        SELECT p.oid::regprocedure::text, p.prokind, pg_get_userbyid(p.proowner), {_grants("p.proacl", "f", "p.proowner")},
            CASE WHEN p.prokind = 'a' THEN pg_get_function_result(p.oid) ELSE pg_get_functiondef(p.oid) END
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE {_USER_NAMESPACE} AND {_own("pg_proc", "p")}
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'i')""",
    "type": f"""
        SELECT format('%I.%I', n.nspname, t.typname), t.typtype, pg_get_userbyid(t.typowner), t.typnotnull, t.typdefault,
            CASE WHEN t.typbasetype <> 0 THEN format_type(t.typbasetype, t.typtypmod) END,
            (SELECT string_agg(quote_literal(e.enumlabel), ',' ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid),
            (SELECT format_type(r.rngsubtype, NULL) FROM pg_range r WHERE r.rngtypid = t.oid),
            {_grants("t.typacl", "T", "t.typowner")}
        FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
        WHERE {_USER_NAMESPACE} AND {_own("pg_type", "t")} AND t.typtype IN ('e', 'd', 'r', 'b') AND t.typelem = 0""",
    "default grant": f"""
        SELECT concat_ws('.', pg_get_userbyid(a.defaclrole), (SELECT nspname FROM pg_namespace WHERE oid = a.defaclnamespace), a.defaclobjtype),
            {_grants("a.defaclacl", "r", "a.defaclrole")} FROM pg_default_acl a""",
    "event trigger": f"""
        SELECT quote_ident(e.evtname), e.evtevent, e.evtfoid::regprocedure::text, e.evtenabled, e.evttags::text
        FROM pg_event_trigger e WHERE {_own("pg_event_trigger", "e")}""",
    "publication": """
        SELECT quote_ident(p.pubname), p.puballtables, p.pubinsert, p.pubupdate, p.pubdelete, p.pubtruncate,
            (SELECT string_agg(r.prrelid::regclass::text, ',' ORDER BY r.prrelid::regclass::text) FROM pg_publication_rel r
                WHERE r.prpubid = p.oid) FROM pg_publication p""",
    "statistics": f"""
        SELECT format('%I.%I', n.nspname, s.stxname), pg_get_statisticsobjdef(s.oid)
        FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace WHERE {_USER_NAMESPACE}""",
    # A dump writes their options by name, in whichever order they were given.
    "foreign server": """
        SELECT quote_ident(s.srvname), (SELECT fdwname FROM pg_foreign_data_wrapper WHERE oid = s.srvfdw),
            (SELECT array_agg(o ORDER BY o) FROM unnest(s.srvoptions) o)::text
        FROM pg_foreign_server s""",
    # Kinds whose mere presence is compared; identity as the server itself names it.
    "other object": " UNION ALL ".join(
        f"SELECT (pg_identify_object('{catalogue}'::regclass, o.oid, 0)).type || ' ' ||"
        f" (pg_identify_object('{catalogue}'::regclass, o.oid, 0)).identity, '' FROM {catalogue} o"
        f" WHERE o.oid >= 16384 AND {_own(catalogue, 'o')}"
        for catalogue in (
            "pg_cast",
            "pg_collation",
            "pg_conversion",
            "pg_operator",
            "pg_opclass",
            "pg_opfamily",
            "pg_language",
            "pg_ts_config",
            "pg_ts_dict",
            "pg_ts_parser",
            "pg_ts_template",
            "pg_transform",
            "pg_am",
            "pg_foreign_data_wrapper",
        )
    ),
    "comment": """
        SELECT i.type || ' ' || i.identity, d.description FROM pg_description d, pg_identify_object(d.classoid, d.objoid, d.objsubid) i
        WHERE d.objoid >= 16384 AND i.identity IS NOT NULL AND d.classoid <> 'pg_extension'::regclass
        AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = d.classoid AND e.objid = d.objoid AND e.deptype = 'e')""",
}
