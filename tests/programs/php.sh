#!/bin/bash
# packages: php-cli php-xml php-mbstring
# limit: 60
# quick
#
# PHP opens its extensions with RTLD_DEEPBIND, so that they and the libraries
# that they bring (libxml2, libonig) would miss a preloaded malloc, and free
# blocks of one heap in the other. The extensions' results are checked, with
# PHP's own allocator and with malloc for everything.
. "$(dirname "$0")/../lib.sh"
begin

cat >test.php <<'PHP'
<?php
function check($what, $seen, $wanted) {
	if ($seen !== $wanted) {
		echo "$what: ", var_export($seen, true), " instead of ",
			var_export($wanted, true), "\n";
		exit(1);
	}
	$GLOBALS["nr"]++;
}

$nr = 0;
foreach (["mbstring", "dom", "xml", "xsl", "FFI", "iconv"] as $name)
	check("extension $name", extension_loaded($name), true);

for ($round = 0; $round < 30; $round++) {
	$text = str_repeat("Größe über Ärger, 漢字 кириллица ", 50 + $round);
	$wide = mb_convert_encoding($text, "UTF-16LE", "UTF-8");
	check("mb back", mb_convert_encoding($wide, "UTF-8", "UTF-16LE"), $text);
	check("mb upper", mb_strtoupper("größe кот"), "GRÖSSE КОТ");
	mb_ereg_search_init($text, "[а-я]+");
	for ($n = 0; mb_ereg_search(); )
		$n++;
	check("mb_ereg", $n, 50 + $round);
	check("iconv", iconv("UTF-8", "UTF-16LE", $text), $wide);

	$dom = new DOMDocument();
	$list = $dom->appendChild($dom->createElement("list"));
	for ($i = 0; $i < 2000; $i++) {
		$item = $list->appendChild($dom->createElement("item"));
		$item->setAttribute("n", $i);
		$item->appendChild($dom->createTextNode(str_repeat("é", $i % 50 + 1)));
	}
	$xml = $dom->saveXML();
	$again = new DOMDocument();
	check("parse", $again->loadXML($xml), true);
	check("same XML", $again->saveXML() === $xml, true);
	$xpath = new DOMXPath($again);
	check("xpath", $xpath->query("//item[@n mod 7 = 0]")->length, 286);
	foreach (iterator_to_array($xpath->query("//item[@n > 1000]")) as $node)
		$node->parentNode->removeChild($node);
	check("removed", $again->getElementsByTagName("item")->length, 1001);
	check("sum", simplexml_load_string($xml)->item[1999]["n"]->__toString(),
		"1999");

	$style = new DOMDocument();
	$style->loadXML('<xsl:stylesheet version="1.0"
		xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
		<xsl:output method="text"/><xsl:template match="/">
		<xsl:value-of select="sum(//@n)"/></xsl:template>
		</xsl:stylesheet>');
	$xslt = new XSLTProcessor();
	$xslt->importStylesheet($style);
	check("xslt", trim($xslt->transformToXML($dom)), "1999000");

	libxml_use_internal_errors(true);
	check("bad XML", (new DOMDocument())->loadXML("<a><b></a>"), false);
	libxml_clear_errors();

	$packed = gzcompress($xml, 6);
	check("zlib", gzuncompress($packed) === $xml, true);
	check("json", json_decode(json_encode(range(1, 5000)))[4999], 5000);
}

$c = FFI::cdef("void *malloc(size_t); void free(void *); char *strdup(char *);
	size_t strlen(char *); size_t malloc_usable_size(void *);");
for ($i = 0; $i < 2000; $i++) {
	$p = $c->malloc($i * 17);
	check("usable", $c->malloc_usable_size($p) >= $i * 17, true);
	$c->free($p);
}
$pid = pcntl_fork();
if ($pid === 0) {
	$copy = new DOMDocument();
	exit($copy->loadXML($xml) ? 7 : 1);
}
pcntl_waitpid($pid, $status);
check("forked child", pcntl_wexitstatus($status), 7);

$lib = $argv[1] ?? "";
check("library", $lib === "" ||
	strpos(file_get_contents("/proc/self/maps"), $lib) !== false, true);
echo "$nr\n";
PHP

must_under own php test.php "$preload"
must_under malloc env USE_ZEND_ALLOC=0 php test.php "$preload"
ok "$(cat log/malloc) results of extensions right, twice"
