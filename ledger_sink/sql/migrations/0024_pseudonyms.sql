-- Writers put pseudonyms into what they enter, and know again what they entered before.

-- Whether a pseudonym stands for a person, given by sign-in id or pseudonym. What stands for nobody any more may have
-- stood for anybody: whoever posts the same again after a redaction must not be told that it is something else.
create or replace function ledger.stands_for(of_site text, of_pseudonym text, of_person text) returns boolean
    language sql stable security definer set search_path = ledger, pg_temp as $$
    select of_pseudonym = of_person or of_person <> '' and exists (
        select from ledger.persons p
        where p.site = of_site and p.pseudonym = of_pseudonym and (p.person is null or p.person = of_person)
    )
$$;

do $$
begin
    perform ledger.close_rights();
end
$$;
grant execute on function ledger.stands_for(text, text, text) to ledger_appender;
