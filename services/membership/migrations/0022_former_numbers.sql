-- A tax number of an entry that was merged still says which company is meant.
CREATE INDEX merged_organization_by_tax_number ON merged_organization (country, tax_number) WHERE tax_number IS NOT NULL;
