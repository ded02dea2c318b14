"""A contract for import-linter: a table of packages and of what each of them may import.

setup.cfg holds the table and names this class as the contract type `import_table`.
"""

from importlinter import Contract, ContractCheck, fields, output


class ImportTable(Contract):
    """Every package of a root package imports what its row of the table allows, and no more.

    A row is `package: allowed allowed ...`, relative to the root.  An allowed name is a package, a
    module of the root, or one module of a package.  Imports within a package are always allowed.
    """

    type_name = "import_table"

    root = fields.StringField()
    table = fields.ListField(subfield=fields.StringField())

    def check(self, graph, verbose):
        """Compare every import of the graph with the table."""
        del verbose
        allowed = {}
        for row in self.table:
            package, _, names = row.partition(":")
            allowed[package] = set(names.split())
        found = {child.partition(".")[2] for child in graph.find_children(self.root)}
        differences = [f"{name} has no row in the table" for name in sorted(found - set(allowed))]
        differences += [f"{name} does not exist" for name in sorted(set(allowed) - found)]
        for package in sorted(found & set(allowed)):
            differences += self._forbidden(graph, package, allowed[package])
        return ContractCheck(kept=not differences, metadata={"differences": differences})

    def _forbidden(self, graph, package, allowed):
        """Return a line for each import of a package that its row does not allow."""
        prefix = f"{self.root}."
        package_root = prefix + package
        lines = []
        for importer in sorted({package_root} | graph.find_descendants(package_root)):
            for imported in sorted(graph.find_modules_directly_imported_by(importer)):
                name = imported.removeprefix(prefix)
                top = name.partition(".")[0]
                inside = imported == self.root or imported.startswith(prefix)
                if inside and top != package and not {name, top} & allowed:
                    lines.append(f"{importer} -> {imported}")
        return lines

    def render_broken_contract(self, check):
        """Print the differences."""
        for difference in check.metadata["differences"]:
            output.print_error(difference, bold=False)
