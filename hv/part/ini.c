#include "hv/part/ini.h"

#include "hv/lib/str.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct ini_text trim(struct ini_text t)
{
    while (t.len && is_blank(t.s[0])) {
        t.s++;
        t.len--;
    }
    while (t.len && is_blank(t.s[t.len - 1]))
        t.len--;
    return t;
}

bool ini_equals(struct ini_text text, const char *word)
{
    return str_is(word, text.s, text.len);
}

struct ini_text ini_take_word(struct ini_text *text)
{
    *text = trim(*text);
    struct ini_text word = { text->s, 0 };
    while (word.len < text->len && !is_blank(word.s[word.len]))
        word.len++;
    text->s += word.len;
    text->len -= word.len;
    *text = trim(*text);
    return word;
}

bool ini_copy(char *to, size_t size, struct ini_text from)
{
    if (from.len >= size)
        return false;
    memcpy(to, from.s, from.len);
    to[from.len] = '\0';
    return true;
}

void ini_init(struct ini *ini, const char *text, size_t len)
{
    *ini = (struct ini){ text, len, 0, 0 };
    if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
        ini->pos = 3;
}

static struct ini_text next_line(struct ini *ini)
{
    struct ini_text line = { ini->text + ini->pos, 0 };
    size_t left = ini->len - ini->pos;
    while (line.len < left && line.s[line.len] != '\n')
        line.len++;
    ini->pos += line.len + (line.len < left);
    ini->line++;
    if (line.len && line.s[line.len - 1] == '\r')
        line.len--;
    return trim(line);
}

static bool is_printable(struct ini_text t)
{
    for (size_t i = 0; i < t.len; i++)
        if ((unsigned char)t.s[i] < ' ' && t.s[i] != '\t')
            return false;
    return true;
}

static struct ini_text without_comment(struct ini_text t)
{
    for (size_t i = 0; i < t.len; i++)
        if (t.s[i] == '#' && (i == 0 || is_blank(t.s[i - 1])))
            t.len = i;
    return trim(t);
}

static enum ini_kind bad(struct ini_item *item, const char *error)
{
    item->error = error;
    return item->kind = INI_ERROR;
}

static enum ini_kind section(struct ini_text line, struct ini_item *item)
{
    line = without_comment(line);
    if (line.s[line.len - 1] != ']')
        return bad(item, "a section needs a closing \"]\": [partition NAME]");
    item->value = (struct ini_text){ line.s + 1, line.len - 2 };
    item->name = ini_take_word(&item->value);
    if (!item->name.len)
        return bad(item, "a section needs a name: [partition NAME]");
    return item->kind = INI_SECTION;
}

static enum ini_kind quoted_value(struct ini_item *item)
{
    size_t end = 1;
    while (end < item->value.len && item->value.s[end] != '"')
        end++;
    if (end == item->value.len)
        return bad(item, "the closing quote (\") is missing");
    struct ini_text rest = { item->value.s + end + 1, item->value.len - end - 1 };
    rest = trim(rest);
    if (rest.len && rest.s[0] != '#')
        return bad(item, "there is text after the closing quote (\")");
    item->value = (struct ini_text){ item->value.s + 1, end - 1 };
    return item->kind = INI_PAIR;
}

static enum ini_kind pair(struct ini_text line, struct ini_item *item)
{
    size_t equals = 0;
    while (equals < line.len && line.s[equals] != '=')
        equals++;
    if (equals == line.len)
        return bad(item, "expected \"key = value\", [section], or a comment starting with #");
    item->name = trim((struct ini_text){ line.s, equals });
    if (!item->name.len)
        return bad(item, "there is no key before the \"=\"");
    item->value = trim((struct ini_text){ line.s + equals + 1, line.len - equals - 1 });
    if (item->value.len && item->value.s[0] == '"')
        return quoted_value(item);
    item->value = without_comment(item->value);
    return item->kind = INI_PAIR;
}

enum ini_kind ini_next(struct ini *ini, struct ini_item *item)
{
    while (ini->pos < ini->len) {
        struct ini_text line = next_line(ini);
        if (!line.len || line.s[0] == '#' || line.s[0] == ';')
            continue;
        *item = (struct ini_item){ .line = ini->line };
        if (!is_printable(line))
            return bad(item, "there is a control character in this line; is it a text file?");
        return line.s[0] == '[' ? section(line, item) : pair(line, item);
    }
    *item = (struct ini_item){ .kind = INI_END, .line = ini->line };
    return INI_END;
}
